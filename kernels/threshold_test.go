package kernels

import (
	"math"
	"testing"
)

// Assembly clamps x before it divides, to the ends of what does not clip. Here
// is their closed form in float64, a search that it agrees with, and what each
// implementation makes of it.

// threshold returns the largest x for which round(x/s) <= code, s > 0.
//
// Let b be the largest float32 that rounds to the code: code + 1/2 if that is
// a tie that goes down, to an even code, else the float32 below. x/s rounds to
// at most b up to the middle between b and the next float32, and that middle
// itself rounds down if b's last bit is 0. So x is at most middle*s, or less;
// the product of 25 by 24 bits is exact in float64.
func threshold(s float32, code int) float32 {
	b := float32(code) + 0.5
	if code%2 == 1 {
		b = neighbour(b, -1)
	}
	return below(b, s)
}

// thresholdFp returns the largest x for which x/s <= most.
func thresholdFp(s float32, f Format) float32 { return below(f.Max(), s) }

// below returns the largest x whose quotient x/s is rounded to at most b.
func below(b, s float32) float32 {
	product := (float64(b) + float64(neighbour(b, 1))) / 2 * float64(s)
	x := float32(product)
	if float64(x) > product || float64(x) == product && bitsOf(b)&1 == 1 {
		x = neighbour(x, -1)
	}
	return x
}

func TestThresholds(t *testing.T) {
	codes := []int{0, 1, 2, 3, 7, 8, 15, 126, 127, 128, 254, 255}
	check := func(s float32) {
		for _, code := range codes {
			x := threshold(s, code)
			next := neighbour(x, 1)
			if !(roundToEven(x/s) <= float32(code)) || next-next == 0 && roundToEven(next/s) <= float32(code) {
				t.Fatalf("scale %x code %d: %x", s, code, x)
			}
		}
		for f := E4M3FN; f <= E2M1; f++ {
			x := thresholdFp(s, f)
			next := neighbour(x, 1)
			if !(x/s <= f.Max()) || next-next == 0 && next/s <= f.Max() {
				t.Fatalf("scale %x %v: %x", s, f, x)
			}
		}
	}
	for m := 0; m < 1<<23; m += effort(10007, 1009, 7) {
		check(neighbour(float32(1), m))
	}
	r := newSource(10)
	for range effort(10_000, 100_000, 10_000_000) { // subnormal and huge ones too
		check(math.Float32frombits(1 + r.Uint32N(0x7f7fffff)))
	}
}

// TestPrepare holds what the implementations prepare for groups against that.
func TestPrepare(t *testing.T) {
	const groups = 67 // more than a vector, and a tail
	for _, name := range assembled(t) {
		impl, err := find(name)
		if err != nil {
			t.Fatal(err)
		}
		r := newSource(11)
		for range effort(20, 200, 100_000) {
			p := signedRanges[r.IntN(3)]
			if r.IntN(2) == 0 {
				p = unsignedRanges[r.IntN(3)]
			}
			p.Scale = make([]float32, groups)
			r.scales(p.Scale)
			switch r.IntN(3) {
			case 1:
				p.ZeroPoint = make([]int32, groups)
				r.zeroPoints(p.ZeroPoint, p.Min, p.Max)
			case 2:
				p.Minval = make([]float32, groups)
			}
			var recip, lo, hi [groups]float32
			p.prepare(impl, 0, recip[:], lo[:], hi[:])
			for i, s := range p.Scale {
				_, qo, _ := p.group(i)
				below, above := threshold(s, int(qo)-p.Min), threshold(s, p.Max-int(qo))
				if recip[i] != 1/s || lo[i] != -below || hi[i] != above {
					t.Fatalf("%s: scale %x codes %d..%d offset %v: 1/s=%x %x..%x, want %x %x..%x",
						name, s, p.Min, p.Max, qo, recip[i], lo[i], hi[i], 1/s, -below, above)
				}
			}
		}
	}
}
