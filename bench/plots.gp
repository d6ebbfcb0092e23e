# SPDX-License-Identifier: MIT
# bench/plots.gp — the plots of bench/README.md. run.sh --readme calls it: gnuplot -e "data='DIR'; plots='DIR'" plots.gp
set terminal svg size 760,420 font "sans,13" background "white" dynamic
set datafile separator "\t"
set datafile missing "?"
set border 3 lc rgb "#888888"
set tics nomirror out textcolor rgb "#333333"
set grid ytics lc rgb "#dddddd"
set key outside right top Left reverse samplen 2 spacing 1.2
set style line 1 lc rgb "#c2410c" lw 3 pt 7 ps 0.7
set style line 2 lc rgb "#444444" lw 2 pt 5 ps 0.6
set style line 3 lc rgb "#2563eb" lw 2 pt 9 ps 0.7
set style line 4 lc rgb "#059669" lw 2 pt 13 ps 0.7
set style line 5 lc rgb "#a21caf" lw 2 pt 11 ps 0.7
set logscale xy
set format x "%.0f"
set ylabel "median" textcolor rgb "#333333"
set format y "%.0s %cs"
set yrange [5e-10:*]

set output plots."/cpus.svg"
set title "Reserve and release a slot on every CPU"
set xrange [3:11000]
set xlabel "CPUs" textcolor rgb "#333333"
set xtics (4, 64, 256, 1024, 4096, 8192) rotate by -30
plot for [i=2:6] data."/cpus.dat" using 1:(column(i) * 1e-9) with linespoints ls (i - 1) title columnheader(i)

set output plots."/tasks.svg"
set title "Reserve and release a slot for a random task"
set xrange [0.7:1.6e6]
set xlabel "tasks"
set xtics ("1" 1, "100" 100, "10 000" 10000, "1 000 000" 1000000) norotate
plot for [i=2:5] data."/tasks.dat" using 1:(column(i) * 1e-9) with linespoints ls (i < 4 ? i - 1 : i) title columnheader(i)

set output plots."/breakpoints.svg"
set title "Register and unregister a task's breakpoint, others having so many"
set xrange [0.7:1.6e5]
set xlabel "breakpoints of other tasks"
set xtics ("0" 1, "100" 100, "10 000" 10000, "100 000" 100000)
plot for [i=2:3] data."/breakpoints.dat" using ($1 == 0 ? 1 : $1):(column(i) * 1e-9) with linespoints ls (i - 1) title columnheader(i)

unset logscale
set format "% h"
set xrange [*:*]
set ylabel "ns, median"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set xtics autofreq rotate by -35
set xlabel ""
set yrange [0:*]
set output plots."/paths.svg"
set title "Context switch there and back, and debug trap: time"
plot for [i=2:3] data."/paths.dat" using i:xtic(1) ls (i - 1) title columnheader(i)
set output plots."/paths_instructions.svg"
set title "Context switch there and back, and debug trap: instructions"
set ylabel "instructions"
plot for [i=2:3] data."/paths_instructions.dat" using i:xtic(1) ls (i - 1) title columnheader(i)
