package fp4_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

const signBit = 8

// value is the table of the OCP MX specification.
func value(code int) float64 {
	v := []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6}[code&^signBit]
	if code&signBit != 0 {
		return math.Copysign(v, -1)
	}
	return v
}

// grid ends where 8, the next value, would be.
var grid = gridtest.New(8, value, 8)

// fromIndex returns the code that a number nearest to grid.Values[index] gets.
func fromIndex(index int, negative bool) fp4.E2M1 {
	c := fp4.E2M1(min(index, 7))
	if negative {
		c |= signBit
	}
	return c
}

func want(x float64) fp4.E2M1 {
	if x != x {
		return 0
	}
	return fromIndex(grid.Nearest(math.Abs(x)), math.Signbit(x))
}

func check(t *testing.T, x float64) {
	t.Helper()
	if got := fp4.E2M1FromFloat64(x); got != want(x) {
		t.Fatalf("from float64 %v (%#x): %#x, want %#x", x, math.Float64bits(x), uint8(got), uint8(want(x)))
	}
	y := float32(x)
	if got := fp4.E2M1FromFloat32(y); got != want(float64(y)) {
		t.Fatalf("from float32 %v (%#x): %#x, want %#x", y, math.Float32bits(y), uint8(got), uint8(want(float64(y))))
	}
}

func TestValues(t *testing.T) {
	for i := range 256 {
		c := fp4.E2M1(i) // the high nibble does not count
		got := float64(c.Float32())
		assert.Equal(t, math.Float64bits(value(i&15)), math.Float64bits(got), "%#02x: %v", i, got)
		assert.EqualValues(t, i&15, c.Bits())
		assert.EqualValues(t, i&15, fp4.E2M1FromBits(uint8(i)))
	}
}

func TestClassification(t *testing.T) {
	for i := range 256 {
		c, v := fp4.E2M1(i), value(i&15)
		assert.Equal(t, v == 0, c.IsZero(), "IsZero(%#02x)", i)
		assert.Equal(t, math.Abs(v) >= 1, c.IsNormal(), "IsNormal(%#02x)", i)
		assert.Equal(t, math.Abs(v) == 0.5, c.IsSubnormal(), "IsSubnormal(%#02x)", i)
		assert.Equal(t, math.Signbit(v), c.Signbit(), "Signbit(%#02x)", i)
	}
}

func TestLimits(t *testing.T) {
	assert.EqualValues(t, fp4.E2M1Max, value(7))
	assert.EqualValues(t, fp4.E2M1SmallestSubnormal, value(1))
	assert.EqualValues(t, fp4.E2M1SmallestNormal, value(2))
	assert.EqualValues(t, fp4.E2M1Epsilon, value(3)-value(2))
	assert.Equal(t, fp4.E2M1MaxExp, math.Ilogb(value(7)))
}

func TestComparison(t *testing.T) {
	for i := range 256 {
		for j := range 256 {
			x, y := fp4.E2M1(i), fp4.E2M1(j)
			v, w := value(i&15), value(j&15)
			if x.Equal(y) != (v == w) || x.Less(y) != (v < w) || x.Compare(y) != cmp.Compare(v, w) {
				t.Fatalf("%v and %v: Equal %t, Less %t, Compare %d", v, w, x.Equal(y), x.Less(y), x.Compare(y))
			}
		}
	}
}

func TestString(t *testing.T) {
	assert.Equal(t, "-0.5", fp4.E2M1(9).String())
	for i := range 16 {
		v, err := strconv.ParseFloat(fp4.E2M1(i).String(), 64)
		require.NoError(t, err)
		assert.Equal(t, math.Float64bits(value(i)), math.Float64bits(v))
	}
}

func TestConversions(t *testing.T) {
	for i := range 16 {
		assert.EqualValues(t, i, fp4.E2M1FromFloat32(float32(value(i))))
		assert.EqualValues(t, i, fp4.E2M1FromFloat64(value(i)))
	}
	for _, x := range grid.Probes() {
		check(t, x)
		check(t, -x)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(t, float64(math.Float32frombits(r.Uint32())))
		check(t, math.Float64frombits(r.Uint64()))
		check(t, r.Float64()*16-8)
	}
}

func TestSpecialValues(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct{ x, want float64 }{
		{inf, 6}, {-inf, -6}, {5, 4}, {math.Nextafter(5, 6), 6}, {7, 6}, {1e300, 6}, {-1e300, -6},
		{0.25, 0}, {math.Nextafter(0.25, 1), 0.5}, {0.75, 1}, {1.25, 1}, {1.75, 2}, {2.5, 2}, {3.5, 4},
		{math.Copysign(0, -1), math.Copysign(0, -1)}, {-0.25, math.Copysign(0, -1)},
		{math.NaN(), 0}, {math.Copysign(math.NaN(), -1), 0},
	} {
		got := float64(fp4.E2M1FromFloat64(c.x).Float32())
		assert.Equal(t, math.Float64bits(c.want), math.Float64bits(got), "%v: %v, want %v", c.x, got, c.want)
	}
	for _, bits := range []uint32{0x7F800001, 0x7FC00000, 0xFF800001, 0xFFFFFFFF} {
		assert.Zero(t, fp4.E2M1FromFloat32(math.Float32frombits(bits)), "%#x", bits)
	}
}

// A float32 cannot tell these float64 from the midpoint beside them.
func TestDoubleRounding(t *testing.T) {
	for i := range 7 {
		mid := (value(i) + value(i+1)) / 2
		assert.EqualValues(t, i, fp4.E2M1FromFloat64(math.Nextafter(mid, 0)))
		assert.EqualValues(t, i+1, fp4.E2M1FromFloat64(math.Nextafter(mid, 8)))
	}
}

func TestAllFloat32(t *testing.T) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("2^32 inputs: set LOWBIT_EXHAUSTIVE=1")
	}
	all := func(first, last uint32, plus, minus fp4.E2M1) {
		for b := first; b <= last; b++ {
			x, y := math.Float32frombits(b), math.Float32frombits(b|1<<31)
			if fp4.E2M1FromFloat32(x) != plus || fp4.E2M1FromFloat32(y) != minus {
				t.Errorf("from float32 +-%v (%#x): %v %v, want %v %v", x, b, fp4.E2M1FromFloat32(x), fp4.E2M1FromFloat32(y), plus, minus)
				return
			}
		}
	}
	grid.Walk(func(first, last uint32, index int) {
		all(first, last, fromIndex(index, false), fromIndex(index, true))
	})
	all(0x7F800001, 0x7FFFFFFF, 0, 0)
}

func FuzzConversions(f *testing.F) {
	for _, x := range []float64{0, -0.25, 5, 7, 1e300, math.Inf(-1), math.NaN()} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		check(t, math.Float64frombits(bits))
		check(t, float64(math.Float32frombits(uint32(bits))))
	})
}
