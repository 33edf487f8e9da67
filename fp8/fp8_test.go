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
)

func TestE4M3FN(t *testing.T)      { testFormat(t, &e4m3fn) }
func TestE5M2(t *testing.T)        { testFormat(t, &e5m2) }
func TestE4M3FNUZ(t *testing.T)    { testFormat(t, &e4m3fnuz) }
func TestE5M2FNUZ(t *testing.T)    { testFormat(t, &e5m2fnuz) }
func TestE4M3(t *testing.T)        { testFormat(t, &e4m3) }
func TestE3M4(t *testing.T)        { testFormat(t, &e3m4) }
func TestE4M3B11FNUZ(t *testing.T) { testFormat(t, &e4m3b11fnuz) }

func testFormat[T number[T]](t *testing.T, d *definition[T]) {
	t.Run("Values", func(t *testing.T) { testValues(t, d) })
	t.Run("Classification", func(t *testing.T) { testClassification(t, d) })
	t.Run("Limits", func(t *testing.T) { testLimits(t, d) })
	t.Run("Comparison", func(t *testing.T) { testComparison(t, d) })
	t.Run("String", func(t *testing.T) { testString(t, d) })
	t.Run("RoundTrip", func(t *testing.T) { testRoundTrip(t, d) })
	t.Run("Boundaries", func(t *testing.T) { testBoundaries(t, d) })
	t.Run("RandomBits", func(t *testing.T) { testRandomBits(t, d) })
	t.Run("NaN", func(t *testing.T) { testNaN(t, d) })
	t.Run("DoubleRounding", func(t *testing.T) { testDoubleRounding(t, d) })
	t.Run("AllFloat32", func(t *testing.T) { testAllFloat32(t, d) })
}

// sameNumber compares as the formats are compared here: any NaN equals any
// other, +0 differs from -0.
func sameNumber(a, b float64) bool {
	return a != a && b != b || math.Float64bits(a) == math.Float64bits(b)
}

func testValues[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		c := T(i)
		if got, want := float64(c.Float32()), d.value(c); !sameNumber(got, want) {
			t.Errorf("%s(%#02x).Float32() = %v, want %v", d.name, i, got, want)
		}
		assert.Equal(t, uint8(i), c.Bits())
	}
}

func testClassification[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		c, v := T(i), d.value(T(i))
		a := math.Abs(v)
		assert.Equal(t, math.IsNaN(v), c.IsNaN(), "IsNaN(%#02x)", i)
		for _, sign := range []int{-2, -1, 0, 1, 2} {
			assert.Equal(t, math.IsInf(v, sign), c.IsInf(sign), "IsInf(%#02x, %d)", i, sign)
		}
		assert.Equal(t, a < d.next, c.IsFinite(), "IsFinite(%#02x)", i)
		assert.Equal(t, a == 0, c.IsZero(), "IsZero(%#02x)", i)
		assert.Equal(t, a >= d.normal && a < d.next, c.IsNormal(), "IsNormal(%#02x)", i)
		assert.Equal(t, a > 0 && a < d.normal, c.IsSubnormal(), "IsSubnormal(%#02x)", i)
		assert.Equal(t, i >= signBit, c.Signbit(), "Signbit(%#02x)", i)
	}
}

func testLimits[T number[T]](t *testing.T, d *definition[T]) {
	largest, least, normal, afterOne := 0.0, math.Inf(1), math.Inf(1), math.Inf(1)
	for i := range 256 {
		v := d.value(T(i))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		largest = max(largest, v)
		if v > 0 {
			least = min(least, v)
		}
		if v > 0 && i>>d.mantBits == 1 {
			normal = min(normal, v)
		}
		if v > 1 {
			afterOne = min(afterOne, v)
		}
	}
	assert.Equal(t, largest, d.max)
	assert.Equal(t, least, d.subnormal)
	assert.Equal(t, normal, d.normal)
	assert.Equal(t, afterOne-1, d.epsilon)
	assert.Equal(t, math.Ilogb(largest), d.maxExp)
}

func testComparison[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		for j := range 256 {
			x, y := T(i), T(j)
			v, w := d.value(x), d.value(y)
			if x.Equal(y) != (v == w) || x.Less(y) != (v < w) || x.Compare(y) != cmp.Compare(v, w) {
				t.Fatalf("%v and %v: Equal %t, Less %t, Compare %d", v, w, x.Equal(y), x.Less(y), x.Compare(y))
			}
		}
	}
}

func testString[T number[T]](t *testing.T, d *definition[T]) {
	for c, want := range d.text {
		assert.Equal(t, want, c.String())
	}
	for i := range 256 {
		v, err := strconv.ParseFloat(T(i).String(), 32)
		require.NoError(t, err)
		assert.True(t, sameNumber(v, d.value(T(i))), "%s(%#02x)", d.name, i)
	}
}

func testRoundTrip[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		c := T(i)
		if c.IsNaN() {
			continue
		}
		x := c.Float32()
		assert.Equal(t, c, d.from32(x))
		assert.Equal(t, c, d.from64(float64(x)))
		if c.IsFinite() {
			assert.Equal(t, c, d.from32Sat(x))
			assert.Equal(t, c, d.from64Sat(float64(x)))
		}
	}
}

// checker returns a function that holds every conversion of x, and of x rounded
// to float32, against the definition.
func checker[T number[T]](d *definition[T]) func(t *testing.T, x float64) {
	g := d.grid()
	return func(t *testing.T, x float64) {
		t.Helper()
		for _, saturate := range []bool{false, true} {
			from32, from64 := d.from32, d.from64
			if saturate {
				from32, from64 = d.from32Sat, d.from64Sat
			}
			if got, want := from64(x), d.from(g, x, saturate); got != want {
				t.Fatalf("%s from float64 %v (%#x), saturating %t: %#02x, want %#02x", d.name, x, math.Float64bits(x), saturate, got, want)
			}
			y := float32(x)
			if x != x {
				continue // a float64 NaN made a float32 need not keep its sign; testNaN has its own
			}
			if got, want := from32(y), d.from(g, float64(y), saturate); got != want {
				t.Fatalf("%s from float32 %v (%#x), saturating %t: %#02x, want %#02x", d.name, y, math.Float32bits(y), saturate, got, want)
			}
		}
	}
}

func testBoundaries[T number[T]](t *testing.T, d *definition[T]) {
	check := checker(d)
	for _, x := range d.grid().Probes() {
		check(t, x)
		check(t, -x)
	}
}

func testRandomBits[T number[T]](t *testing.T, d *definition[T]) {
	check := checker(d)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(t, float64(math.Float32frombits(r.Uint32())))
		check(t, math.Float64frombits(r.Uint64()))
		// Exponents around those of the format.
		check(t, math.Copysign(math.Exp2(r.Float64()*50-25), r.Float64()-0.5))
	}
}

func testNaN[T number[T]](t *testing.T, d *definition[T]) {
	for _, payload := range []uint32{1, 0x1000, 0x200000, 0x400000, 0x400001, 0x7FFFFF} {
		for _, negative := range []bool{false, true} {
			b32 := 0x7F800000 | payload
			b64 := 0x7FF<<52 | uint64(payload)<<29
			if negative {
				b32, b64 = b32|1<<31, b64|1<<63
			}
			want := d.nanCode(negative)
			require.True(t, want.IsNaN())
			assert.Equal(t, want, d.from32(math.Float32frombits(b32)), "%#x", b32)
			assert.Equal(t, want, d.from32Sat(math.Float32frombits(b32)), "%#x", b32)
			assert.Equal(t, want, d.from64(math.Float64frombits(b64)), "%#x", b64)
			assert.Equal(t, want, d.from64Sat(math.Float64frombits(b64)), "%#x", b64)
		}
	}
}

// testDoubleRounding takes float64 so close to a midpoint that float32 cannot
// tell them from it: to go by way of float32 would round half of them wrongly.
func testDoubleRounding[T number[T]](t *testing.T, d *definition[T]) {
	g := d.grid()
	twice := 0
	for i := range d.finite {
		mid := (g.Values[i] + g.Values[i+1]) / 2
		below, above := math.Nextafter(mid, 0), math.Nextafter(mid, 1e9)
		require.Equal(t, d.convert(i, false, false), d.from64(below), "below %v", mid)
		require.Equal(t, d.convert(i+1, false, false), d.from64(above), "above %v", mid)
		if d.from32(float32(below)) != d.from64(below) || d.from32(float32(above)) != d.from64(above) {
			twice++
		}
	}
	assert.Equal(t, d.finite, twice, "each midpoint has one side that float32 gets wrong")
}

// testAllFloat32 holds both float32 conversions against the definition for all
// 2^32 inputs.
func testAllFloat32[T number[T]](t *testing.T, d *definition[T]) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("2^32 inputs: set LOWBIT_EXHAUSTIVE=1")
	}
	d.grid().Walk(func(first, last uint32, index int) {
		allInRange(t, d, first, last, d.convert(index, false, false), d.convert(index, false, true),
			d.convert(index, true, false), d.convert(index, true, true))
	})
	plus, minus := d.nanCode(false), d.nanCode(true)
	allInRange(t, d, 0x7F800001, 0x7FFFFFFF, plus, plus, minus, minus)
}

// allInRange checks that the float32 with the bits first to last become plus
// and plusSat, their negatives minus and minusSat.
func allInRange[T number[T]](t *testing.T, d *definition[T], first, last uint32, plus, plusSat, minus, minusSat T) {
	for b := first; b <= last; b++ {
		x, y := math.Float32frombits(b), math.Float32frombits(b|1<<31)
		if d.from32(x) != plus || d.from32Sat(x) != plusSat || d.from32(y) != minus || d.from32Sat(y) != minusSat {
			t.Errorf("%s from float32 +-%v (%#x): %#02x %#02x %#02x %#02x, want %#02x %#02x %#02x %#02x", d.name, x, b,
				d.from32(x), d.from32Sat(x), d.from32(y), d.from32Sat(y), plus, plusSat, minus, minusSat)
			return
		}
	}
}

func TestFromBits(t *testing.T) {
	for i := range 256 {
		b := uint8(i)
		assert.Equal(t, b, fp8.E4M3FNFromBits(b).Bits())
		assert.Equal(t, b, fp8.E5M2FromBits(b).Bits())
		assert.Equal(t, b, fp8.E4M3FNUZFromBits(b).Bits())
		assert.Equal(t, b, fp8.E5M2FNUZFromBits(b).Bits())
		assert.Equal(t, b, fp8.E4M3FromBits(b).Bits())
		assert.Equal(t, b, fp8.E3M4FromBits(b).Bits())
		assert.Equal(t, b, fp8.E4M3B11FNUZFromBits(b).Bits())
		assert.Equal(t, b, fp8.E8M0FromBits(b).Bits())
	}
}

// TestSpecialCodes holds the named codes against what their names say.
func TestSpecialCodes(t *testing.T) {
	assert.True(t, math.IsNaN(float64(fp8.E4M3FNNaN.Float32())))
	assert.True(t, math.IsNaN(float64(fp8.E5M2NaN.Float32())))
	assert.True(t, math.IsNaN(float64(fp8.E4M3FNUZNaN.Float32())))
	assert.True(t, math.IsNaN(float64(fp8.E5M2FNUZNaN.Float32())))
	assert.Equal(t, float32(math.Inf(1)), fp8.E5M2Inf.Float32())
	assert.Equal(t, float32(math.Inf(-1)), fp8.E5M2NegInf.Float32())

	assert.True(t, math.IsNaN(float64(fp8.E4M3NaN.Float32())))
	assert.True(t, math.IsNaN(float64(fp8.E3M4NaN.Float32())))
	assert.True(t, math.IsNaN(float64(fp8.E4M3B11FNUZNaN.Float32())))
	assert.Equal(t, float32(math.Inf(1)), fp8.E4M3Inf.Float32())
	assert.Equal(t, float32(math.Inf(-1)), fp8.E4M3NegInf.Float32())
	assert.Equal(t, float32(math.Inf(1)), fp8.E3M4Inf.Float32())
	assert.Equal(t, float32(math.Inf(-1)), fp8.E3M4NegInf.Float32())
}

// TestOverflow writes down, in numbers, where each format ends.
func TestOverflow(t *testing.T) {
	next := func(x float32) float32 { return math.Nextafter32(x, 1e9) }
	below := func(x float32) float32 { return math.Nextafter32(x, 0) }

	assert.Equal(t, float32(448), fp8.E4M3FNFromFloat32(464).Float32())
	assert.Equal(t, fp8.E4M3FNNaN, fp8.E4M3FNFromFloat32(next(464)))
	assert.Equal(t, float32(-448), fp8.E4M3FNFromFloat32Sat(-next(464)).Float32())

	assert.Equal(t, float32(57344), fp8.E5M2FromFloat32(below(61440)).Float32())
	assert.Equal(t, fp8.E5M2Inf, fp8.E5M2FromFloat32(61440))
	assert.Equal(t, fp8.E5M2NegInf, fp8.E5M2FromFloat32(-61440))
	assert.Equal(t, float32(57344), fp8.E5M2FromFloat32Sat(61440).Float32())

	assert.Equal(t, float32(240), fp8.E4M3FNUZFromFloat32(below(248)).Float32())
	assert.Equal(t, fp8.E4M3FNUZNaN, fp8.E4M3FNUZFromFloat32(248))
	assert.Equal(t, fp8.E4M3FNUZNaN, fp8.E4M3FNUZFromFloat32(-248))
	assert.Equal(t, float32(-240), fp8.E4M3FNUZFromFloat32Sat(-248).Float32())

	assert.Equal(t, float32(57344), fp8.E5M2FNUZFromFloat32(below(61440)).Float32())
	assert.Equal(t, fp8.E5M2FNUZNaN, fp8.E5M2FNUZFromFloat32(61440))
	assert.Equal(t, float32(57344), fp8.E5M2FNUZFromFloat32Sat(61440).Float32())

	assert.Equal(t, float32(240), fp8.E4M3FromFloat32(below(248)).Float32())
	assert.Equal(t, fp8.E4M3Inf, fp8.E4M3FromFloat32(248))
	assert.Equal(t, float32(15.5), fp8.E3M4FromFloat32(below(15.75)).Float32())
	assert.Equal(t, fp8.E3M4NegInf, fp8.E3M4FromFloat32(-15.75))
	assert.Equal(t, float32(30), fp8.E4M3B11FNUZFromFloat32(below(31)).Float32())
	assert.Equal(t, fp8.E4M3B11FNUZNaN, fp8.E4M3B11FNUZFromFloat32(31))
}

func FuzzConversions(f *testing.F) {
	for _, x := range []float64{0, 1, -448, 464, 61440, 0x1p-10, 1e300, math.Inf(-1)} {
		f.Add(math.Float64bits(x))
	}
	checks := []func(*testing.T, float64){checker(&e4m3fn), checker(&e5m2), checker(&e4m3fnuz), checker(&e5m2fnuz), checker(&e4m3), checker(&e3m4), checker(&e4m3b11fnuz), checkE8M0}
	f.Fuzz(func(t *testing.T, bits uint64) {
		for _, check := range checks {
			check(t, math.Float64frombits(bits))
			check(t, float64(math.Float32frombits(uint32(bits))))
		}
	})
}
