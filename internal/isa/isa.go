// Package isa tells packages that call generated assembly by themselves which implementation package kernels uses.
package isa

import (
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/kernels"
)

// Current is the implementation that package kernels uses, asm.Generic for portable code.
func Current() asm.ISA {
	switch kernels.Implementation() {
	case "avx2":
		return asm.AVX2
	case "avx512":
		return asm.AVX512
	case "avx512vbmi":
		return asm.AVX512VBMI
	case "neon":
		return asm.NEON
	}
	return asm.Generic
}
