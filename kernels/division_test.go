package kernels

import (
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/bf16"
)

// Assembly divides without dividing. With r = RN(1/s), the reciprocal rounded,
//
//	q = RN(x*r), e = RN(x - q*s), RN(q + e*r)
//
// is RN(x/s) (P. Markstein, IBM J. Res. Dev. 34, 1990), the last two being
// fused. The tests here are the proof that it is, in float32, where nothing
// overflows or underflows.
//
// How close the last sum is: r is 1/s but for a factor 1 +- 2^-24, so x*r
// is within one unit in the last place of x/s and q within one and a half; call
// that unit u, and let v be the last place of s. Then |x - q*s| <= 1.5*2^24 v*u;
// rounded to 24 bits it is off by at most v*u. So before it is rounded
// q + e*r is off by at most |e|*|r - 1/s| + v*u*r <= 1.5*2^-24 u + 2^-23 u =
// 3.5*2^-24 u, or twice that where q and x/s are on two sides of a power of
// two. Only a quotient that is as close to the middle of two neighbours can be
// rounded to the wrong one of them.
//
// With significands a and b of x and s, integers of 24 bits, such a middle is
// M/2^24, or M/2^25 if a < b, with an odd M of 25 bits, and
//
//	a*2^k = M*b + c, k = 24 or 25
//
// is at c/(2b) units from it: 7*2^-24 units are |c| < 14. The quotient is never
// in the middle itself (c = 0), for M*b would have a factor 2^k, and b has less.
// For each b and c the odd M that solve this are those of one residue
// class, so that all cases with |c| <= nearMiddle can be listed.
const nearMiddle = 64

// TestDivision tries all of them: for every significand of s with
// LOWBIT_EXHAUSTIVE, else for one in 509.
func TestDivision(t *testing.T) {
	stride := uint32(effort(5003, 509, 1))
	var tried, missed, naive atomic.Int64
	var wait sync.WaitGroup
	workers := uint32(runtime.GOMAXPROCS(0))
	for w := range workers {
		wait.Go(func() {
			var n, misses, wrong int64
			for b := uint32(1<<23) + w*stride; b < 1<<24; b += workers * stride {
				s := float32(b) * 0x1p-23
				r := 1 / s
				closeQuotients(b, func(a uint32) {
					x := float32(a) * 0x1p-23
					want := x / s
					n++
					if x*r != want {
						wrong++
					}
					if quotient(x, s, r) != want {
						misses++
					}
				})
			}
			tried.Add(n)
			missed.Add(misses)
			naive.Add(wrong)
		})
	}
	wait.Wait()
	assert.Zero(t, missed.Load())
	// The cases are hard ones, and they are many: a product with the
	// reciprocal misses half of them.
	assert.Greater(t, naive.Load(), 2*tried.Load()/5)
	assert.Greater(t, tried.Load()*int64(stride), int64(3.5e8))
	t.Logf("%d quotients, %d missed, %d by the reciprocal alone", tried.Load(), missed.Load(), naive.Load())
}

// closeQuotients calls f with each significand a for which a/b is close to a middle.
func closeQuotients(b uint32, f func(a uint32)) {
	zeros := bits.TrailingZeros32(b)
	odd := b >> zeros
	for k := 24; k <= 25; k++ {
		modulus := uint32(1) << (k - zeros)
		for c := -nearMiddle; c <= nearMiddle; c++ {
			if c == 0 || c&(1<<zeros-1) != 0 {
				continue // b*M and 2^k have the factor, c has not
			}
			// M = -c/b mod 2^k, both without the common factor.
			first := uint32(-(c >> zeros)) * inverse(odd) & (modulus - 1)
			for m := first; m < 1<<25; m += modulus {
				if m < 1<<24 || m&1 == 0 {
					continue
				}
				a := uint32((int64(m)*int64(b) + int64(c)) >> k)
				if a >= 1<<23 && a < 1<<24 && (a >= b) == (k == 24) {
					f(a)
				}
			}
		}
	}
}

// inverse returns 1/b modulo 2^32, b odd.
func inverse(b uint32) uint32 {
	x := b // right in the last three bits, and in twice as many after each step
	for range 4 {
		x *= 2 - b*x
	}
	return x
}

// quotient is x/s in three operations, r being 1/s.
func quotient(x, s, r float32) float32 {
	q := x * r
	return fma32(fma32(-q, s, x), r, q)
}

// TestCloseQuotients checks the list for some significands against a search.
func TestCloseQuotients(t *testing.T) {
	for _, b := range []uint32{1 << 23, 1<<24 - 1, 0xc00000, 0x900001, 0xabcdef, 0x800040} {
		want := map[uint32]bool{}
		for a := uint32(1 << 23); a < 1<<24; a++ {
			k := 24
			if a < b {
				k = 25
			}
			m := int64(a)<<k/int64(b) | 1 // the odd numbers around
			for _, m := range []int64{m - 2, m, m + 2} {
				if c := int64(a)<<k - m*int64(b); c >= -nearMiddle && c <= nearMiddle && m > 1<<24 && m < 1<<25 {
					want[a] = true
				}
			}
		}
		got := map[uint32]bool{}
		closeQuotients(b, func(a uint32) { got[a] = true })
		assert.Equal(t, want, got, "%#x", b)
	}
}

// TestDivisionRange goes to the ends of the scales for which assembly does
// this, with any dividend.
//
// Scaling x and s by powers of two changes nothing while no intermediate result
// leaves the normal numbers. r is normal, between 2^-100 and 2^80. Where q
// overflows, or x is infinite, the remainder is infinite or NaN, and the result
// NaN, which sounds the alarm. Below that only the last sum can overflow, where
// the quotient does; q is normal if |x/s| >= 2^-125. The remainder is a multiple
// of the product of two last places, which is more than 2^-48 |x|; nothing of it
// is lost while that is 2^-149 or more, for |x| >= 2^-101. Any other x has a
// quotient of at most 2^-21: all that matters is that the result is small too
// and rounds to zero with it, in every format: the least number above zero is 1
// for integers, and at least 2^-16 for floats.
func TestDivisionRange(t *testing.T) {
	r := newSource(9)
	for range effort(30_000, 300_000, 100_000_000) {
		s := neighbour(float32(1), r.IntN(1<<23)) * []float32{leastSafeScale, mostSafeScale / 2}[r.IntN(2)]
		if s = min(s, mostSafeScale); r.IntN(50) == 0 {
			s = []float32{leastSafeScale, mostSafeScale}[r.IntN(2)]
		}
		x := r.bits()
		if r.IntN(2) == 0 {
			x = neighbour(float32(0), r.IntN(100<<23)) // up to 2^-27
		}
		got, want := quotient(x, s, 1/s), x/s
		if q := float32(x * (1 / s)); q-q != 0 { // infinite or NaN
			if got == got {
				t.Fatalf("%x/%x = %x, got %x, want NaN", x, s, want, got)
			}
		} else if (x >= 0x1p-101 || x <= -0x1p-101) && (want >= 0x1p-125 || want <= -0x1p-125) {
			if got != want {
				t.Fatalf("%x/%x = %x, got %x", x, s, want, got)
			}
		} else if !(got >= -0x1p-20 && got <= 0x1p-20) {
			t.Fatalf("%x/%x = %x, got %x, which is not small", x, s, want, got)
		}
	}
}

// Numbers of 16 bits, x of a*2^i with at most eleven bits in a, are divided in
// two operations, where groups are long enough for what these need per group:
// with b the float below r, e = RN(1 - b*s) and c = RN(RN(e + e*2^-22)*b),
//
//	RN(x*b + RN(x*c))
//
// is not always RN(x/s), but it is where it counts: it lies on the same side of
// every h of at most ten bits, and is h if RN(x/s) is. Those h are what divides
// numbers that are rounded to integers of nine bits, or to small floats,
// differently.
//
// b is within one and a half units of 1/s, so 0 < e < 1.5*2^-23 (but for e's own
// rounding), and 1/s = b*(1 + e + e^2 + ...). So b + c is too large by a factor
// of e*2^-22 - e^2 <= 2^-46, and three roundings of e*b and x*c add at most
// 2^-24*e each: the sum is off by a factor within 2^-44 before it is rounded. Where that
// makes a difference, and h is one of the two results, x/s is within that of
// the middle between h and a neighbour,
//
//	M = h*2^j +- 1, odd, of 25 bits: |a*2^k - M*t| < 2^-44 * 2^49 = 32
//
// with t, of 24 bits, the significand of s. There are few candidates.
const nearShortMiddle = 64

// TestShortDivision tries all of them, and quotients at and beside an h.
func TestShortDivision(t *testing.T) {
	same := func(x, s, h float32) {
		t.Helper()
		got, want := shortQuotient(x, s, 1/s), x/s
		if (got < h) != (want < h) || (got > h) != (want > h) {
			t.Fatalf("%x/%x = %x, got %x, on another side of %x", x, s, want, got, h)
		}
	}
	tried := 0
	for h := int64(1); h < 1<<10; h += 2 {
		even := h << bits.LeadingZeros32(uint32(h)) >> 7 // of 25 bits
		for _, m := range []int64{even + 1, even - 1} {
			if m < 1<<24 {
				m = 2*even - 1
			}
			for a := int64(1 << 10); a < 1<<11; a++ {
				for k := 37; k <= 39; k++ {
					s := (a<<k + m/2) / m
					if c := a<<k - m*s; s >= 1<<23 && s < 1<<24 && c >= -nearShortMiddle && c <= nearShortMiddle {
						tried++
						x, s := float32(a), float32(s)
						same(x, s, float32(math.Ldexp(float64(even), int(math.Round(math.Log2(float64(x)/float64(s)/float64(even)))))))
					}
				}
			}
		}
	}
	assert.Positive(t, tried)

	r := newSource(10)
	for range effort(100_000, 3_000_000, 300_000_000) {
		h := float32(1 + r.IntN(1<<10-1))
		s := neighbour(float32(1), r.IntN(1<<23))
		if r.IntN(2) == 0 {
			s = bf16.FromFloat32(s).Float32()
		}
		s *= []float32{1, leastSafeScale, mostSafeScale / 2}[r.IntN(3)]
		x := neighbour(h*s, r.IntN(3)-1)
		same(bf16.FromFloat32(x).Float32(), s, h)
		same(math.Float32frombits(math.Float32bits(x)&^0x1fff), s, h) // of eleven bits
	}
	for _, s := range []float32{leastSafeScale, 1, 3, 0xffffffp-24, mostSafeScale} {
		negative := shortQuotient(float32(math.Copysign(0, -1)), s, 1/s)
		assert.Equal(t, uint32(1)<<31, math.Float32bits(negative))
		assert.Zero(t, math.Float32bits(shortQuotient(0, s, 1/s)))
	}
}

// shortQuotient is x/s in two operations, r being 1/s.
func shortQuotient(x, s, r float32) float32 {
	below := math.Float32frombits(math.Float32bits(r) - 1)
	rest := fma32(-below, s, 1)
	rest = fma32(rest, 0x1p-22, rest) * below
	return fma32(x, below, x*rest)
}
