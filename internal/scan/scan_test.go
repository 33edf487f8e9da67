package scan

import (
	"math"
	"testing"
)

func TestZeros(t *testing.T) {
	for n := range 40 {
		z := make([]int32, n)
		if !Zeros(z) {
			t.Errorf("%d zeros: false", n)
		}
		for i := range z {
			for _, v := range []int32{1, -1, math.MinInt32} {
				z[i] = v
				if Zeros(z) {
					t.Errorf("%d at %d of %d: true", v, i, n)
				}
			}
			z[i] = 0
		}
	}
}

func TestOutside(t *testing.T) {
	for _, r := range [][2]int32{{-128, 127}, {0, 255}, {-8, 7}, {3, 3}, {math.MinInt32, math.MaxInt32}} {
		lo, hi := r[0], r[1]
		for n := range 20 {
			z := make([]int32, n)
			for i := range z {
				z[i] = []int32{lo, hi}[i%2]
			}
			if i := Outside(z, lo, hi); i != -1 {
				t.Errorf("%d within %d..%d: %d", n, lo, hi, i)
			}
			for i := range z {
				was := z[i]
				for _, v := range []int32{lo - 1, hi + 1, math.MinInt32, math.MaxInt32} {
					z[i] = v
					want := -1
					if v < lo || v > hi {
						want = i
					}
					if got := Outside(z, lo, hi); got != want {
						t.Errorf("%d at %d of %d, %d..%d: %d, want %d", v, i, n, lo, hi, got, want)
					}
				}
				z[i] = was
			}
		}
	}
}

func TestBits(t *testing.T) {
	for n := range 10 {
		x, want := make([]float32, n), uint32(0)
		for i := range x {
			x[i] = math.Float32frombits(1 << (3*i + n%3))
			want |= 1 << (3*i + n%3)
		}
		if got := Bits(x); got != want {
			t.Errorf("%d numbers: %x, want %x", n, got, want)
		}
	}
}
