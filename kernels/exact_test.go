package kernels

import (
	"math"
	"math/big"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// Float32 arithmetic by rational numbers: each operation is done exactly and
// then rounded. It shares nothing with the hardware's but the rules.

// exact does an operation on finite numbers, not zero, exactly; for others it is what approximate says.
func exact(a, b float32, op func(z, a, b *big.Rat) *big.Rat, approximate func(a, b float64) float64) float32 {
	if special(a) || special(b) {
		return float32(approximate(float64(a), float64(b)))
	}
	z := op(new(big.Rat), new(big.Rat).SetFloat64(float64(a)), new(big.Rat).SetFloat64(float64(b)))
	f, _ := z.Float32()
	return f
}

func special(x float32) bool { return x == 0 || x-x != 0 }

func exactSub(a, b float32) float32 {
	return exact(a, b, (*big.Rat).Sub, func(a, b float64) float64 { return a - b })
}

func exactAdd(a, b float32) float32 {
	return exact(a, b, (*big.Rat).Add, func(a, b float64) float64 { return a + b })
}

func exactMul(a, b float32) float32 {
	return exact(a, b, (*big.Rat).Mul, func(a, b float64) float64 { return a * b })
}

func exactDiv(a, b float32) float32 {
	return exact(a, b, (*big.Rat).Quo, func(a, b float64) float64 { return a / b })
}

// exactRound rounds to an integer, half to even, and keeps the sign of zero.
func exactRound(x float32) float32 {
	if special(x) {
		return x
	}
	v := float64(x)
	n := math.Floor(v)
	if d := v - n; d > 0.5 || d == 0.5 && math.Mod(n, 2) != 0 {
		n++
	}
	return float32(math.Copysign(n, v))
}

// grid is a list of values that are not negative, ascending, of which the
// i-th has the code i: a format, told by its definition.
type grid []float64

// smallFormat lists the values of a format with those many bits; the last ones
// stand where other formats have NaN and infinity.
func smallFormat(exponentBits, mantissaBits, bias int) (g grid) {
	for code := range 1 << (exponentBits + mantissaBits) {
		e, m := code>>mantissaBits, float64(code%(1<<mantissaBits))/float64(int(1)<<mantissaBits)
		if e == 0 {
			g = append(g, math.Ldexp(m, 1-bias))
		} else {
			g = append(g, math.Ldexp(1+m, e-bias))
		}
	}
	return g
}

var (
	grids8 = func() (grids [formatsEnd]grid) {
		for f := range grids {
			if row := codeformat.Rows[f].Float; row != nil {
				grids[f] = smallFormat(row.Width-1-row.Mantissa, row.Mantissa, row.Bias)[:row.Top+1]
			}
		}
		return grids
	}()
	gridF16  = smallFormat(5, 10, 15)[:0x7c00+1] // infinity stands where 2^16 would be
	gridBF16 = smallFormat(8, 7, 127)[:0x7f80+1]
)

// nearest returns the code of the value next to |x|, of two the even one.
func (g grid) nearest(x float64) int {
	x = math.Abs(x)
	i := sort.SearchFloat64s(g, x)
	if i == len(g) {
		return i - 1
	}
	if i == 0 || g[i] == x {
		return i
	}
	below, above := x-g[i-1], g[i]-x // exact: neighbours in a small format
	if below < above || below == above && i%2 == 1 {
		return i - 1
	}
	return i
}

// exactRounded rounds to an element's type; a NaN is the one of arithmetic.
func exactRounded[T Float](x float32) T {
	g, nan := gridF16, uint32(0x7e00)
	switch any(*new(T)).(type) {
	case float32:
		if x != x {
			x = math.Float32frombits(0x7fc00000)
		}
		return any(x).(T)
	case bf16.BFloat16:
		g, nan = gridBF16, 0x7fc0
	}
	if x != x {
		return fromBits[T](nan)
	}
	b := uint32(g.nearest(float64(x)))
	if math.Signbit(float64(x)) {
		b |= 1 << 15
	}
	return fromBits[T](b)
}

// fma32 returns x*y + z, rounded once.
func fma32(x, y, z float32) float32 {
	// The product is exact. The sum is rounded to odd, which keeps what the
	// second rounding needs to know (Boldo and Melquiond, IEEE TC 57, 2008).
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	back := s - p
	rest := (p - (s - back)) + (c - back)
	if b := math.Float64bits(s); b&1 == 0 && (rest > 0 || rest < 0) {
		if (rest > 0) == (s > 0) {
			b++
		} else {
			b--
		}
		s = math.Float64frombits(b)
	}
	return float32(s)
}

func TestFMA32(t *testing.T) {
	r := newSource(3)
	for range effort(5_000, 50_000, 1_000_000) {
		x, y := r.bits(), r.scale()
		z := neighbour(-x*y, r.IntN(9)-4)
		switch r.IntN(4) {
		case 0:
			z = r.bits()
		case 1: // half a unit in the last place of the product, and as good as nothing
			z = x * y * 0x1p-24
			x, y, z = 1, x*y, neighbour(z, r.IntN(3)-1)
		}
		want := float32(float64(x)*float64(y) + float64(z))
		if !special(x) && !special(y) && !special(z) {
			v := new(big.Rat).SetFloat64(float64(x) * float64(y))
			v.Add(v, new(big.Rat).SetFloat64(float64(z)))
			want, _ = v.Float32()
		}
		if got := fma32(x, y, z); got != want && (got == got || want == want) {
			t.Fatalf("%x*%x + %x = %x, want %x", x, y, z, got, want)
		}
	}
}

// The definitions used here agree with each other in some numbers that everybody knows.
func TestGrids(t *testing.T) {
	assert.Equal(t, 448.0, grids8[E4M3FN][126])
	assert.Equal(t, 57344.0, grids8[E5M2][123])
	assert.Equal(t, 7.5, grids8[E2M3][31])
	assert.Equal(t, 28.0, grids8[E3M2][31])
	assert.Equal(t, grid{0, 0.5, 1, 1.5, 2, 3, 4, 6}, grids8[E2M1])
	assert.Equal(t, 65504.0, gridF16[0x7bff])
	assert.Equal(t, 1.0, gridBF16[0x3f80])
	assert.Equal(t, float16.Inf(-1), exactRounded[float16.Float16](-65520))
	assert.Equal(t, float16.Fromfloat32(65504), exactRounded[float16.Float16](65519.996))
}
