#include "textflag.h"

// MARK puts the marks of the 16 bytes at offset behind those that AX and BX have.
#define MARK(offset) \
	MOVOU    offset(SI), X2 \
	MOVO     X2, X3 \
	PCMPEQB  X0, X2 \
	PCMPEQB  X1, X3 \
	PMOVMSKB X2, CX \
	PMOVMSKB X3, DX \
	SHLQ     $16, AX \
	SHLQ     $16, BX \
	ORQ      CX, AX \
	ORQ      DX, BX

// func marks(block *[64]byte) (quotes, backslashes uint64)
TEXT ·marks(SB), NOSPLIT, $0-24
	MOVQ       block+0(FP), SI
	MOVQ       $0x2222222222222222, AX
	MOVQ       $0x5c5c5c5c5c5c5c5c, BX
	MOVQ       AX, X0
	MOVQ       BX, X1
	PUNPCKLQDQ X0, X0
	PUNPCKLQDQ X1, X1
	XORL       AX, AX
	XORL       BX, BX
	MARK(48)
	MARK(32)
	MARK(16)
	MARK(0)
	MOVQ       AX, quotes+8(FP)
	MOVQ       BX, backslashes+16(FP)
	RET
