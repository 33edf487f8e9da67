package kernels

import (
	"fmt"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// Format is a small float format as codes are stored.
type Format uint8

// The formats.
const (
	// E4M3FN is fp8.E4M3FN, one code to a byte.
	E4M3FN Format = iota

	// E5M2 is fp8.E5M2, one code to a byte.
	E5M2

	// E2M1 is fp4.E2M1 with each value stored as the E4M3FN that equals it, NaN
	// too. Dequantizing reads any E4M3FN.
	E2M1

	// E2M1Packed is fp4.Pair, two to a byte, the first in the low nibble; the
	// last byte is padded with zeros. It has no NaN: one becomes 0.
	E2M1Packed
)

// Max returns the largest value: 448, 57344 or 6.
func (f Format) Max() float32 {
	switch f {
	case E4M3FN:
		return fp8.E4M3FNMax
	case E5M2:
		return fp8.E5M2Max
	}
	return fp4.E2M1Max
}

// Bytes returns how many bytes n codes take.
func (f Format) Bytes(n int) int {
	return packedBytes(n, f.bits())
}

// bits returns how many bits a code takes.
func (f Format) bits() int {
	if f == E2M1Packed {
		return 4
	}
	return 8
}

// asmCode is what the assembly calls the format.
func (f Format) asmCode() asm.Code {
	return [...]asm.Code{E4M3FN: asm.E4M3, E5M2: asm.E5M2, E2M1: asm.E2M1, E2M1Packed: asm.E2M1Packed}[f]
}

// String returns the name of the constant.
func (f Format) String() string {
	switch f {
	case E4M3FN:
		return "E4M3FN"
	case E5M2:
		return "E5M2"
	case E2M1:
		return "E2M1"
	case E2M1Packed:
		return "E2M1Packed"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}
