package kernels

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// An element of 16 bits has so few values that x*recip mostly comes to the same
// code as x/scale for all of them. The two part company, if ever, where a quotient
// is in the middle of two neighbours that codes stand for, or a rounding error
// away from it. In units of the step between these a middle is half an odd number.
// For each there is one element to try, that closest to the middle times the
// scale: elements are much farther apart than the error.
//
// What matters of the scale is its significand. Within 2^-80 and 2^100 the
// reciprocal has the same one whatever the exponent, and next to a middle nothing
// is close to overflow or underflow. An element that is subnormal has fewer bits
// than others, so it is among those tried, with other exponents; one that is
// negative does what it does without its sign. TestProducts has all elements tried.

// productLen is the least group for which trying pays, which takes 50 to 100 ns.
// A variable for the tests. Groups of one element are lanes, which have no such kernels.
var productLen = 8192

// hasProducts reports whether an implementation has kernels for products.
func hasProducts[T Float](impl isa, length int) bool {
	return unsafe.Sizeof(*new(T)) == 2 && (impl == asm.AVX512 || impl == asm.AVX512VBMI) && length >= max(productLen, 2)
}

// middles are halves of odd numbers.
var middles = func() (m [mostMiddles]float32) {
	for i := range m {
		m[i] = float32(i) + 0.5
	}
	return m
}()

const mostMiddles = 256 // those from 0.5 to 255.5

// product finds the reciprocal of a scale, and whether products with it round as
// quotients do at the first n middles, and are on the same side of end, unless
// that is 0, as they are.
func product(impl isa, elem asm.Elem, scale float32, n int, end float32) (recip float32, ok bool) {
	if !(scale >= 0x1p-80 && scale <= 0x1p+100) {
		return 0, false
	}
	s := significand(scale)
	r := 1 / s
	if end != 0 {
		end = significand(end)
		x := elementValue(elem, nearestElement(elem, end*s))
		if (x*r <= end) != (x/s <= end) {
			return 0, false
		}
	}
	var same [mostMiddles]byte
	asm.ProductTies(impl, elem, &same[0], &middles[0], s, r, n)
	return 1 / scale, bytes.IndexByte(same[:n], 0) < 0
}

// significand is x over a power of two, 1 at least and less than 2.
func significand(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x)&(1<<23-1) | 127<<23)
}

// nearestElement is the bits of the element of 16 bits that is the nearest to x.
func nearestElement(elem asm.Elem, x float32) uint16 {
	if elem == asm.BF16 {
		return uint16(bf16.FromFloat32(x))
	}
	return float16.Fromfloat32(x).Bits()
}

func elementValue(elem asm.Elem, bits uint16) float32 {
	if elem == asm.BF16 {
		return bf16.BFloat16(bits).Float32()
	}
	return float16.Frombits(bits).Float32()
}

// intMiddles is how many middles there are between codes from least to most, and beside them.
func intMiddles(least, most, zero int32) int { return int(max(zero-least, most-zero)) + 1 }

// middles is how many odd numbers are twice one between values of as many
// mantissa bits as the format's.
func (f Format) middles() int {
	return 2 << (23 - formats[f].step>>23)
}

// lastInside finds the element of the greatest magnitude that comes to no more
// than most, an integer, and whether all beyond it but infinity come to what it
// does when they are clipped. It is in both halves of the result.
func lastInside(elem asm.Elem, scale, most float32) (both int32, ok bool) {
	finite := lastFinite(elem)
	x := min(nearestElement(elem, (most+0.5)*scale), finite)
	code := roundToEven(elementValue(elem, x) / scale)
	if code > most { // the nearest is above the middle, or in it
		x--
		code = roundToEven(elementValue(elem, x) / scale)
	}
	return int32(x) * 0x00010001, x == finite || code == most
}

// lastFinite is the bits of the largest finite element of 16 bits.
func lastFinite(elem asm.Elem) uint16 {
	if elem == asm.BF16 {
		return 0x7f7f
	}
	return 0x7bff
}
