/* SPDX-License-Identifier: MIT */
/* examples/guest/guest.S — the guest: watches its own words with its own debug registers, and counts what they tell it.
   Ring 0, 64-bit, position-independent; layout.h says where its data is. In: rdi = its data, rsi = how many words it watches. */
#include "layout.h"

	.section .rodata
	.globl	guest_begin, guest_armed, guest_debug, guest_end

guest_begin:
	/* Four addresses, then as many enabled as asked for. */
	lea	GUEST_WORDS+0(%rdi), %rax
	mov	%rax, %dr0
	lea	GUEST_WORDS+8(%rdi), %rax
	mov	%rax, %dr1
	lea	GUEST_WORDS+16(%rdi), %rax
	mov	%rax, %dr2
	lea	GUEST_WORDS+24(%rdi), %r8
	mov	%r8, %dr3
	lea	enable(%rip), %rax
	mov	(%rax,%rsi,8), %rax
	mov	%rax, %dr7
guest_armed:
	/* Writes each word in turn, some rounds. */
	mov	$GUEST_ROUNDS, %ecx
1:	xor	%ebx, %ebx
2:	incq	GUEST_WORDS(%rdi,%rbx,8)
	inc	%ebx
	cmp	$GUEST_WORD_COUNT, %ebx
	jb	2b
	dec	%ecx
	jnz	1b
	/* What it sees of its registers, after all. */
	mov	%dr0, %rax
	mov	%rax, GUEST_SEEN+0(%rdi)
	mov	%dr1, %rax
	mov	%rax, GUEST_SEEN+8(%rdi)
	mov	%dr2, %rax
	mov	%rax, GUEST_SEEN+16(%rdi)
	mov	%dr3, %r9
	mov	%r9, GUEST_SEEN+24(%rdi)
	mov	%dr6, %rax
	mov	%rax, GUEST_SEEN+32(%rdi)
	mov	%dr7, %rax
	mov	%rax, GUEST_SEEN+40(%rdi)
	hlt

/* #DB: counts each bit of DR6, and clears them. */
guest_debug:
	push	%rax
	mov	%dr6, %rax
	bt	$0, %eax
	adcq	$0, GUEST_HITS+0(%rdi)
	bt	$1, %eax
	adcq	$0, GUEST_HITS+8(%rdi)
	bt	$2, %eax
	adcq	$0, GUEST_HITS+16(%rdi)
	bt	$3, %eax
	adcq	$0, GUEST_HITS+24(%rdi)
	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	pop	%rax
	iretq

	/* L0 on, LEN and RW for writes of 8 bytes; then L1, and so on. */
	.balign	8
enable:	.quad	0x400, 0x00090401, 0x00990405, 0x09990415, 0x99990455
guest_end:

	.section .note.GNU-stack, "", @progbits
