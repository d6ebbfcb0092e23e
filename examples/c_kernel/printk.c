/* SPDX-License-Identifier: MIT */
/* examples/c_kernel/printk.c — text on the console, without a library. */
#include <stdarg.h>

#include "kernel.h"

static void put_number(unsigned long n, unsigned base) {
  if (n >= base) put_number(n / base, base);
  console_put("0123456789abcdef"[n % base]);
}
void printk(const char* format, ...) {
  va_list args;
  va_start(args, format);
  for (; *format != '\0'; ++format) {
    if (*format != '%') {
      console_put(*format);
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char* text = va_arg(args, const char*); *text != '\0'; ++text) console_put(*text);
        break;
      case 'd': {
        const int n = va_arg(args, int);
        if (n < 0) console_put('-');
        put_number(n < 0 ? 0UL - (unsigned long)n : (unsigned long)n, 10);
        break;
      }
      case 'u':
        put_number(va_arg(args, unsigned), 10);
        break;
      case 'l': /* lu, lx */
        ++format;
        put_number(va_arg(args, unsigned long), *format == 'x' ? 16 : 10);
        break;
      default:
        console_put('%');
        --format;
    }
  }
  va_end(args);
}
