#include "textflag.h"

// MARK puts a bit for each of the 16 bytes at offset behind those that AX has of the
// quotes and BX of the backslashes.
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

// func walk(text []byte) (at int, ends, escaped uint64)
//
// walkByWord says what the registers have: R8 is escaped, R9 escapes, R10 runs and
// R11 ends.
TEXT ·walk(SB), NOSPLIT, $0-48
	MOVQ       text_base+0(FP), SI
	MOVQ       text_len+8(FP), DI
	SHRQ       $6, DI
	MOVQ       $0x2222222222222222, AX
	MOVQ       $0x5c5c5c5c5c5c5c5c, BX
	MOVQ       $0xaaaaaaaaaaaaaaaa, R12
	MOVQ       AX, X0
	MOVQ       BX, X1
	PUNPCKLQDQ X0, X0
	PUNPCKLQDQ X1, X1
	XORL       R8, R8
	XORL       R11, R11
	TESTQ      DI, DI
	JEQ        done

block:
	XORL AX, AX
	XORL BX, BX
	MARK(48)
	MARK(32)
	MARK(16)
	MARK(0)
	MOVQ R8, R9
	NOTQ R9
	ANDQ BX, R9
	LEAQ (R9)(R9*1), R10
	ORQ  R12, R10
	SUBQ R9, R10
	XORQ R12, R10
	MOVQ BX, R11
	ORQ  R8, R11
	XORQ R10, R11
	NOTQ R11
	ANDQ AX, R11
	JNE  done
	MOVQ R10, R8
	ANDQ BX, R8
	SHRQ $63, R8
	ADDQ $64, SI
	DECQ DI
	JNE  block

done:
	SUBQ text_base+0(FP), SI
	MOVQ SI, at+24(FP)
	MOVQ R11, ends+32(FP)
	MOVQ R8, escaped+40(FP)
	RET
