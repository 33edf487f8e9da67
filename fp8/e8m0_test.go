package fp8_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

// e8m0Value is the definition of the OCP MX specification.
func e8m0Value(code int) float64 {
	if code == 0xFF {
		return math.NaN()
	}
	return math.Ldexp(1, code-127)
}

var e8m0Grid = func() gridtest.Grid {
	g := gridtest.New(255, e8m0Value, 0x1p128)
	g.TieUp = true
	return g
}()

func wantE8M0(x float64, saturate bool) fp8.E8M0 {
	if x != x || x < 0 {
		return fp8.E8M0NaN
	}
	return e8m0Index(e8m0Grid.Nearest(math.Abs(x)), saturate)
}

func e8m0Index(index int, saturate bool) fp8.E8M0 {
	if index == 0xFF && saturate {
		index--
	}
	return fp8.E8M0(index) // the one behind the largest is the NaN
}

func checkE8M0(t *testing.T, x float64) {
	t.Helper()
	y := float32(x)
	for _, c := range []struct {
		name      string
		got, want fp8.E8M0
	}{
		{"float64", fp8.E8M0FromFloat64(x), wantE8M0(x, false)},
		{"float64, saturating", fp8.E8M0FromFloat64Sat(x), wantE8M0(x, true)},
		{"float32", fp8.E8M0FromFloat32(y), wantE8M0(float64(y), false)},
		{"float32, saturating", fp8.E8M0FromFloat32Sat(y), wantE8M0(float64(y), true)},
	} {
		if c.got != c.want {
			t.Fatalf("E8M0 from %s %v (%#x): %#02x, want %#02x", c.name, x, math.Float64bits(x), uint8(c.got), uint8(c.want))
		}
	}
}

func TestE8M0Values(t *testing.T) {
	for i := range 256 {
		c, v := fp8.E8M0(i), e8m0Value(i)
		assert.True(t, sameNumber(float64(c.Float32()), v), "%#02x", i)
		assert.Equal(t, i-127, c.Exponent())
		assert.Equal(t, math.IsNaN(v), c.IsNaN())
		assert.Equal(t, !math.IsNaN(v), c.IsFinite())
		assert.Equal(t, !math.IsNaN(v), c.IsNormal())
		assert.False(t, c.IsInf(0) || c.IsInf(1) || c.IsInf(-1) || c.IsZero() || c.IsSubnormal() || c.Signbit(), "%#02x", i)

		parsed, err := strconv.ParseFloat(c.String(), 32)
		require.NoError(t, err)
		assert.True(t, sameNumber(parsed, v), "%#02x", i)
	}
	assert.Equal(t, float32(fp8.E8M0Max), fp8.E8M0(0xFE).Float32())
	assert.Equal(t, float32(fp8.E8M0Min), fp8.E8M0(0).Float32())
	assert.Equal(t, float32(1), fp8.E8M0One.Float32())
	assert.Equal(t, "0.25", fp8.E8M0(125).String())
	assert.Equal(t, "NaN", fp8.E8M0NaN.String())
}

func TestE8M0Comparison(t *testing.T) {
	for i := range 256 {
		for j := range 256 {
			x, y := fp8.E8M0(i), fp8.E8M0(j)
			v, w := e8m0Value(i), e8m0Value(j)
			if x.Equal(y) != (v == w) || x.Less(y) != (v < w) || x.Compare(y) != cmp.Compare(v, w) {
				t.Fatalf("%v and %v: Equal %t, Less %t, Compare %d", v, w, x.Equal(y), x.Less(y), x.Compare(y))
			}
		}
	}
}

func TestE8M0Conversions(t *testing.T) {
	for i := range 255 {
		v := e8m0Value(i)
		assert.EqualValues(t, i, fp8.E8M0FromFloat32(float32(v)))
		assert.EqualValues(t, i, fp8.E8M0FromFloat64Sat(v))
	}
	for _, x := range e8m0Grid.Probes() {
		checkE8M0(t, x)
		checkE8M0(t, -x)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		checkE8M0(t, float64(math.Float32frombits(r.Uint32())))
		checkE8M0(t, math.Float64frombits(r.Uint64()))
	}
}

func TestE8M0SpecialValues(t *testing.T) {
	inf, nan, negZero := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	for _, c := range []struct {
		x         float32
		want, sat fp8.E8M0
	}{
		{0, 0, 0},
		{negZero, 0, 0},
		{math.SmallestNonzeroFloat32, 0, 0},
		{0x1p-127, 0, 0},
		{0x1.4p-127, 0, 0},
		{0x1.8p-127, 1, 1},
		{1.5, 128, 128},
		{3, 129, 129},
		{0x1.7FFFFEp127, 0xFE, 0xFE},
		{0x1.8p127, fp8.E8M0NaN, 0xFE},
		{inf, fp8.E8M0NaN, 0xFE},
		{nan, fp8.E8M0NaN, fp8.E8M0NaN},
		{-1, fp8.E8M0NaN, fp8.E8M0NaN},
		{-inf, fp8.E8M0NaN, fp8.E8M0NaN},
	} {
		assert.Equal(t, c.want, fp8.E8M0FromFloat32(c.x), "%v", c.x)
		assert.Equal(t, c.sat, fp8.E8M0FromFloat32Sat(c.x), "%v, saturating", c.x)
		assert.Equal(t, c.want, fp8.E8M0FromFloat64(float64(c.x)), "%v", c.x)
		assert.Equal(t, c.sat, fp8.E8M0FromFloat64Sat(float64(c.x)), "%v, saturating", c.x)
	}
}

func TestE8M0AllFloat32(t *testing.T) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("2^32 inputs: set LOWBIT_EXHAUSTIVE=1")
	}
	check := func(first, last uint32, plus, plusSat fp8.E8M0) {
		for b := first; b <= last; b++ {
			x, y := math.Float32frombits(b), math.Float32frombits(b|1<<31)
			minus := fp8.E8M0NaN
			if b == 0 {
				minus = plus // -0
			}
			if fp8.E8M0FromFloat32(x) != plus || fp8.E8M0FromFloat32Sat(x) != plusSat ||
				fp8.E8M0FromFloat32(y) != minus || fp8.E8M0FromFloat32Sat(y) != minus {
				t.Errorf("E8M0 from float32 +-%v (%#x): %v %v %v %v, want %v %v %v %v", x, b,
					fp8.E8M0FromFloat32(x), fp8.E8M0FromFloat32Sat(x), fp8.E8M0FromFloat32(y), fp8.E8M0FromFloat32Sat(y),
					plus, plusSat, minus, minus)
				return
			}
		}
	}
	e8m0Grid.Walk(func(first, last uint32, index int) {
		check(first, last, e8m0Index(index, false), e8m0Index(index, true))
	})
	check(0x7F800001, 0x7FFFFFFF, fp8.E8M0NaN, fp8.E8M0NaN)
}

func TestE8M0Scale(t *testing.T) {
	for _, maxExp := range []int{0, 2, fp8.E4M3FNMaxExp, fp8.E5M2MaxExp} {
		for field := range uint32(256) {
			for _, mantissa := range []uint32{0, 1, 0x3FFFFF, 0x400000, 0x7FFFFF} {
				x := math.Float32frombits(field<<23 | mantissa)
				exponent := -127 // of zero and the subnormals
				switch {
				case math.IsNaN(float64(x)) || math.IsInf(float64(x), 0):
					exponent = 128
				case x >= 0x1p-126:
					exponent = math.Ilogb(float64(x))
				}
				want := max(exponent-maxExp, -126)
				for _, x := range []float32{x, -x} {
					if got := fp8.E8M0Scale(x, maxExp).Exponent(); got != want {
						t.Errorf("E8M0Scale(%v, %d) = 2^%d, want 2^%d", x, maxExp, got, want)
					}
				}
			}
		}
	}
}

// TestE8M0ScaleFits checks what the scale is for: the largest element of a block
// comes to lie in the largest element's power of two.
func TestE8M0ScaleFits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		x := float32(math.Exp2(r.Float64()*200 - 100))
		for _, maxExp := range []int{fp8.E4M3FNMaxExp, fp8.E5M2MaxExp} {
			scaled := x / fp8.E8M0Scale(x, maxExp).Float32()
			assert.Equal(t, maxExp, math.Ilogb(float64(scaled)), "%v", x)
		}
	}
}
