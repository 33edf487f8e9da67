package kernels

import (
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/philox"
)

// Random says which random words stochastic rounding uses. The element at index i
// of a slice has the word with the number n = First+i: word n%4 of the block that
// Philox4x32-10 makes of the key Seed and of the counter with n/4 in its low 64
// bits and Stream in its high ones. So a result depends on an element's place in
// its tensor and on nothing else, however the tensor is cut into calls.
type Random struct {
	Seed   uint64
	Stream uint64 // of the tensor and the step: no two share one
	First  uint64 // the place in its tensor of a slice's first element
}

// words sets dst to the words of the elements from at on.
func (r Random) words(dst []uint32, at int) {
	philox.Stream{Seed: r.Seed, Stream: r.Stream}.Words(dst, r.First+uint64(at))
}

// roundsUp reports whether a part of a step is rounded up: frac is in [0, 1), and
// the word's upper 24 bits are below frac with that probability. What is on the
// grid never moves.
func roundsUp(word uint32, frac float32) bool { return float32(word>>8) < frac*(1<<24) }

// pieces calls f with parts of a slice of n elements and with their words.
func (r Random) pieces(n int, f func(at, end int, words []uint32)) {
	var words [pieceLen]uint32
	for at := 0; at < n; at += pieceLen {
		end := min(at+pieceLen, n)
		r.words(words[:end-at], at)
		f(at, end, words[:end-at])
	}
}

// StochasticInt rounds numbers to one of the two integers next to them, the one
// farther from zero with the probability of the part above the nearer:
//
//	c = clamp(v, min, max)
//	dst = trunc(c), or 1 farther from zero if word>>8 < frac(|c|)*2^24
//
// word is the element's of r. min and max are integers, -2^22 <= min <= 0 <= max <= 2^22.
// NaN stays that NaN, made quiet. NaN and a zero keep the sign of v, but have none if
// min is 0. dst may be v.
//
// The codes of integers x with scale s and zero point z are z plus StochasticInt
// of x/s from Min-z to Max-z. Their mask is where x/s is within that range: it
// does not depend on chance.
func StochasticInt(dst, v []float32, min, max float32, r Random) {
	checkLen("StochasticInt", "dst", len(dst), len(v))
	if !(-1<<22 <= min && min <= 0 && 0 <= max && max <= 1<<22) || min != roundToEven(min) || max != roundToEven(max) {
		fail("StochasticInt", "%v..%v is no range of integers around zero", min, max)
	}
	stochasticInt(current(), dst, v, min+0, max+0, r) // +0 for -0
}

func stochasticInt(impl isa, dst, v []float32, lo, hi float32, r Random) {
	if impl != generic && len(v) > 0 {
		stochasticIntAsm(impl, dst, v, lo, hi, r)
		return
	}
	r.pieces(len(v), func(at, end int, words []uint32) { stochasticInts(dst[at:end], v[at:end], words, lo, hi) })
}

func stochasticInts(y, v []float32, words []uint32, lo, hi float32) {
	for i, v := range v {
		c := clamp(v, lo, hi)
		if c != c {
			y[i] = quietNaN(v)
			if lo == 0 {
				y[i] = quietNaN(math.Float32frombits(math.Float32bits(v) &^ (1 << 31)))
			}
			continue
		}
		m := math.Float32frombits(math.Float32bits(c) &^ (1 << 31))
		t := float32(math.Trunc(float64(m)))
		if roundsUp(words[i], m-t) {
			t++
		}
		y[i] = float32(math.Copysign(float64(t), float64(c)))
	}
}

// StochasticFloat rounds numbers to one of the two values of a small float format
// next to them, as StochasticInt does: v is clamped to the format's range, and the
// step of its grid at |v| takes the place of 1. NaN stays that NaN, made quiet, and a
// zero keeps its sign. dst may be v.
func StochasticFloat(dst, v []float32, f Format, r Random) {
	checkLen("StochasticFloat", "dst", len(dst), len(v))
	f.checkFloat("StochasticFloat")
	stochasticFloat(current(), dst, v, f, r)
}

func stochasticFloat(impl isa, dst, v []float32, f Format, r Random) {
	if impl != generic && len(v) > 0 {
		stochasticFloatAsm(impl, dst, v, f, r)
		return
	}
	r.pieces(len(v), func(at, end int, words []uint32) { stochasticFloats(dst[at:end], v[at:end], words, f) })
}

func stochasticFloats(y, v []float32, words []uint32, f Format) {
	d := &formats[f]
	mantissa, least, largest := 23-int(d.step>>23), int(d.field>>23)-127, d.largest
	for i, v := range v {
		c := clamp(v, -largest, largest)
		if c != c {
			y[i] = quietNaN(v)
			continue
		}
		m := math.Float32bits(c) &^ (1 << 31)
		e := max(int(m>>23)-127, least) - mantissa // the step is 2^e
		steps := math.Float32frombits(m) * power(-e)
		t := float32(math.Trunc(float64(steps)))
		if roundsUp(words[i], steps-t) {
			t++
		}
		y[i] = float32(math.Copysign(float64(t*power(e)), float64(c)))
	}
}

// quietNaN returns a NaN with the highest bit of its mantissa.
func quietNaN(v float32) float32 { return math.Float32frombits(math.Float32bits(v) | 1<<22) }

// power returns 2^e, a normal number.
func power(e int) float32 { return math.Float32frombits(uint32(e+127) << 23) }

// StochasticBFloat16 rounds numbers to one of the two bfloat16 next to them, the
// one farther from zero with the probability of the part above the nearer: if the
// word's upper half is below the float32's lower half. The step beyond the largest
// number is infinity. Infinity and NaN are converted as by bf16.FromFloat32.
func StochasticBFloat16(dst []bf16.BFloat16, src []float32, r Random) {
	checkLen("StochasticBFloat16", "dst", len(dst), len(src))
	stochasticBFloat16(current(), dst, src, r)
}

func stochasticBFloat16(impl isa, dst []bf16.BFloat16, src []float32, r Random) {
	if impl != generic && len(src) > 0 {
		stochasticHalfAsm(impl, dst, src, r)
		return
	}
	r.pieces(len(src), func(at, end int, words []uint32) { stochasticBFloat16s(dst[at:end], src[at:end], words) })
}

func stochasticBFloat16s(y []bf16.BFloat16, x []float32, words []uint32) {
	for i, v := range x {
		b := math.Float32bits(v)
		switch {
		case b&0x7f800000 == 0x7f800000:
			y[i] = bf16.FromFloat32(v)
		case words[i]>>16 < b&0xffff:
			y[i] = bf16.BFloat16(b>>16 + 1)
		default:
			y[i] = bf16.BFloat16(b >> 16)
		}
	}
}

// StochasticFloat16 rounds numbers to one of the two float16 next to them, as
// StochasticFloat does; the step beyond 65504 is infinity. Infinity and NaN are
// converted as by float16.Fromfloat32.
func StochasticFloat16(dst []float16.Float16, src []float32, r Random) {
	checkLen("StochasticFloat16", "dst", len(dst), len(src))
	stochasticFloat16(current(), dst, src, r)
}

func stochasticFloat16(impl isa, dst []float16.Float16, src []float32, r Random) {
	if impl != generic && len(src) > 0 {
		stochasticHalfAsm(impl, dst, src, r)
		return
	}
	r.pieces(len(src), func(at, end int, words []uint32) { stochasticFloat16s(dst[at:end], src[at:end], words) })
}

func stochasticFloat16s(y []float16.Float16, x []float32, words []uint32) {
	const mantissa, least, most = 10, -14, 15
	for i, v := range x {
		m := math.Float32bits(v) &^ (1 << 31)
		if m >= 0x7f800000 {
			y[i] = float16.Fromfloat32(v)
			continue
		}
		e := min(max(int(m>>23)-127, least), most) - mantissa
		steps := math.Ldexp(float64(math.Float32frombits(m)), -e)
		t := math.Trunc(steps)
		if float64(words[i]>>8) < (steps-t)*(1<<24) {
			t++
		}
		y[i] = float16.Fromfloat32(float32(math.Copysign(math.Ldexp(t, e), float64(v))))
	}
}
