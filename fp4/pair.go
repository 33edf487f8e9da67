package fp4

import (
	"fmt"

	"github.com/lowbit-go/lowbit/internal/minifloat"
)

// Pair is two E2M1 numbers in a byte: the first in the low nibble, the second
// in the high one. That is how tensors of float4 are stored (torch calls it
// float4_e2m1fn_x2, safetensors F4).
type Pair uint8

// MakePair packs two numbers.
func MakePair(low, high E2M1) Pair { return Pair(low&codeMask | high<<4) }

// PairFromFloat32 converts two values as E2M1FromFloat32 does and packs them.
func PairFromFloat32(low, high float32) Pair {
	return MakePair(E2M1FromFloat32(low), E2M1FromFloat32(high))
}

// Low returns the first number, from the low nibble.
func (p Pair) Low() E2M1 { return E2M1(p & codeMask) }

// High returns the second number, from the high nibble.
func (p Pair) High() E2M1 { return E2M1(p >> 4) }

// Float32 returns the two values, exactly.
func (p Pair) Float32() (low, high float32) { return p.Low().Float32(), p.High().Float32() }

// Bits returns the byte.
func (p Pair) Bits() uint8 { return uint8(p) }

// String returns the two values, as in "[0.5 -6]".
func (p Pair) String() string { return "[" + p.Low().String() + " " + p.High().String() + "]" }

// Format prints the byte for the verbs of integers (%x, %d, %b, ...), the values for those of floats, and String's text for the others.
func (p Pair) Format(s fmt.State, verb rune) {
	low, high := p.Float32()
	minifloat.Format(s, verb, uint64(p), [2]float32{low, high}, p.String())
}
