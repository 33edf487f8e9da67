package bf16_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

const (
	signBit = 0x8000
	infCode = 0x7F80
	codes   = 1 << 16
)

// value is the definition: sign, exponent field, mantissa field.
func value(code int) float64 {
	sign, exp, m := 1.0, code>>7&0xFF, code&0x7F
	if code&signBit != 0 {
		sign = -1
	}
	switch {
	case exp == 0xFF && m != 0:
		return math.NaN()
	case exp == 0xFF:
		return sign * math.Inf(1)
	case exp == 0:
		return sign * math.Ldexp(float64(m), -126-7)
	}
	return sign * math.Ldexp(float64(128+m), exp-127-7)
}

// grid ends where 2^128 would be; that index is the code of infinity.
var grid = gridtest.New(infCode, value, 0x1p128)

func want(x float64) bf16.BFloat16 {
	c := bf16.BFloat16(grid.Nearest(math.Abs(x)))
	if math.Signbit(x) {
		c |= signBit
	}
	return c
}

// check holds the conversions of x, which is not NaN, against the grid.
func check(t *testing.T, x float64) {
	t.Helper()
	if got := bf16.FromFloat64(x); got != want(x) {
		t.Fatalf("FromFloat64(%v) (%#x) = %#04x, want %#04x", x, math.Float64bits(x), uint16(got), uint16(want(x)))
	}
	y := float32(x)
	if got := bf16.FromFloat32(y); got != want(float64(y)) {
		t.Fatalf("FromFloat32(%v) (%#x) = %#04x, want %#04x", y, math.Float32bits(y), uint16(got), uint16(want(float64(y))))
	}
}

func TestValues(t *testing.T) {
	for i := range codes {
		c := bf16.BFloat16(i)
		got, want := float64(c.Float32()), value(i)
		if math.Float64bits(got) != math.Float64bits(want) && !(got != got && want != want) {
			t.Fatalf("BFloat16(%#04x).Float32() = %v, want %v", i, got, want)
		}
		if c.Bits() != uint16(i) || bf16.FromBits(uint16(i)) != c {
			t.Fatalf("%#04x: bits %#04x", i, c.Bits())
		}
	}
}

func TestClassification(t *testing.T) {
	for i := range codes {
		c, v := bf16.BFloat16(i), value(i)
		a := math.Abs(v)
		for _, sign := range []int{-2, -1, 0, 1, 2} {
			if c.IsInf(sign) != math.IsInf(v, sign) {
				t.Fatalf("IsInf(%#04x, %d) = %t", i, sign, c.IsInf(sign))
			}
		}
		for _, q := range []struct {
			name      string
			got, want bool
		}{
			{"IsNaN", c.IsNaN(), v != v},
			{"IsFinite", c.IsFinite(), a <= bf16.Max},
			{"IsZero", c.IsZero(), v == 0},
			{"IsNormal", c.IsNormal(), a >= bf16.SmallestNormal && a <= bf16.Max},
			{"IsSubnormal", c.IsSubnormal(), a > 0 && a < bf16.SmallestNormal},
			{"Signbit", c.Signbit(), i >= signBit},
		} {
			if q.got != q.want {
				t.Fatalf("%s(%#04x) = %t", q.name, i, q.got)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	assert.Equal(t, value(infCode-1), bf16.Max)
	assert.Equal(t, value(0x0080), bf16.SmallestNormal)
	assert.Equal(t, value(0x0001), bf16.SmallestSubnormal)
	assert.Equal(t, value(0x3F81)-value(0x3F80), bf16.Epsilon)
	assert.Equal(t, math.Inf(1), value(int(bf16.Inf)))
	assert.Equal(t, math.Inf(-1), value(int(bf16.NegInf)))
	assert.True(t, math.IsNaN(value(int(bf16.NaN))))
}

func TestComparison(t *testing.T) {
	codes := []int{0, signBit}
	for _, c := range []int{1, 0x7F, 0x80, 0x3F80, 0x3F81, infCode - 1, infCode, infCode + 1, 0x7FC0, 0x7FFF} {
		codes = append(codes, c, c|signBit)
	}
	for _, i := range codes {
		for _, j := range codes {
			x, y := bf16.BFloat16(i), bf16.BFloat16(j)
			v, w := value(i), value(j)
			assert.Equal(t, v == w, x.Equal(y), "%v == %v", v, w)
			assert.Equal(t, v < w, x.Less(y), "%v < %v", v, w)
			assert.Equal(t, cmp.Compare(v, w), x.Compare(y), "%v, %v", v, w)
		}
	}
}

func TestString(t *testing.T) {
	for x, want := range map[float32]string{1: "1", -0.5: "-0.5", 3.14159: "3.140625", float32(math.Inf(-1)): "-Inf"} {
		assert.Equal(t, want, bf16.FromFloat32(x).String())
	}
	assert.Equal(t, "NaN", bf16.NaN.String())
	for i := range codes {
		v, err := strconv.ParseFloat(bf16.BFloat16(i).String(), 32)
		require.NoError(t, err)
		if w := value(i); math.Float64bits(v) != math.Float64bits(w) && !(v != v && w != w) {
			t.Fatalf("%#04x prints as %v, is %v", i, v, w)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for i := range codes {
		c := bf16.BFloat16(i)
		back := c
		if c.IsNaN() {
			back |= 0x40 // quiet
		}
		if got := bf16.FromFloat32(c.Float32()); got != back {
			t.Fatalf("FromFloat32 of %#04x's value = %#04x", i, uint16(got))
		}
		if c.IsNaN() {
			continue // whether float64(x) keeps a NaN's sign is the machine's affair
		}
		if got := bf16.FromFloat64(float64(c.Float32())); got != back {
			t.Fatalf("FromFloat64 of %#04x's value = %#04x", i, uint16(got))
		}
	}
}

func TestConversions(t *testing.T) {
	for _, x := range grid.Probes() {
		check(t, x)
		check(t, -x)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		for _, x := range []float64{float64(math.Float32frombits(r.Uint32())), math.Float64frombits(r.Uint64())} {
			if x == x {
				check(t, x)
			}
		}
	}
}

func TestNaN(t *testing.T) {
	for _, c := range []struct {
		bits uint64
		want bf16.BFloat16
	}{
		{0x7FF8_0000_0000_0000, 0x7FC0},
		{0xFFF8_0000_0000_0000, 0xFFC0},
		{0x7FF0_0000_0000_0001, 0x7FC0},
		{0xFFF0_0000_0000_0001, 0xFFC0},
		{0x7FF4_0000_0000_0000, 0x7FE0},
		{0xFFFF_FFFF_FFFF_FFFF, 0xFFFF},
	} {
		assert.Equal(t, c.want, bf16.FromFloat64(math.Float64frombits(c.bits)), "%#x", c.bits)
	}
	for _, c := range []struct {
		bits uint32
		want bf16.BFloat16
	}{
		{0x7FC00000, 0x7FC0},
		{0xFFC00000, 0xFFC0},
		{0x7F800001, 0x7FC0},
		{0xFF80FFFF, 0xFFC0},
		{0x7FA00000, 0x7FE0},
		{0xFFFFFFFF, 0xFFFF},
	} {
		assert.Equal(t, c.want, bf16.FromFloat32(math.Float32frombits(c.bits)), "%#x", c.bits)
	}
}

// A float32 cannot tell these float64 from the midpoint beside them.
func TestDoubleRounding(t *testing.T) {
	for i := range infCode {
		mid := value(i) + (grid.Values[i+1]-value(i))/2
		below, above := bf16.FromFloat64(math.Nextafter(mid, 0)), bf16.FromFloat64(math.Nextafter(mid, math.MaxFloat64))
		if int(below) != i || int(above) != i+1 {
			t.Fatalf("beside %v: %#04x and %#04x, want %#04x and %#04x", mid, uint16(below), uint16(above), i, i+1)
		}
	}
}

func TestAllFloat32(t *testing.T) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("2^32 inputs: set LOWBIT_EXHAUSTIVE=1")
	}
	grid.Walk(func(first, last uint32, index int) {
		plus, minus := bf16.BFloat16(index), bf16.BFloat16(index)|signBit
		for b := first; b <= last; b++ {
			x, y := math.Float32frombits(b), math.Float32frombits(b|1<<31)
			if bf16.FromFloat32(x) != plus || bf16.FromFloat32(y) != minus ||
				bf16.FromFloat64(float64(x)) != plus || bf16.FromFloat64(float64(y)) != minus {
				t.Errorf("+-%v (%#x): %v %v %v %v, want %v %v", x, b, bf16.FromFloat32(x), bf16.FromFloat32(y),
					bf16.FromFloat64(float64(x)), bf16.FromFloat64(float64(y)), plus, minus)
				return
			}
		}
	})
	for b := uint32(0x7F800001); b <= 0x7FFFFFFF; b++ {
		x, y := bf16.FromFloat32(math.Float32frombits(b)), bf16.FromFloat32(math.Float32frombits(b|1<<31))
		want := bf16.BFloat16(b>>16) | 0x40
		if x != want || y != want|signBit {
			t.Fatalf("NaN %#x: %#04x and %#04x, want %#04x", b, uint16(x), uint16(y), uint16(want))
		}
	}
}

func FuzzConversions(f *testing.F) {
	for _, x := range []float64{0, 1, 0x1.01p0, 0x1.FFp127, 1e-40, 1e300, math.Inf(-1)} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		for _, x := range []float64{math.Float64frombits(bits), float64(math.Float32frombits(uint32(bits)))} {
			if x != x {
				require.True(t, bf16.FromFloat64(x).IsNaN() && bf16.FromFloat32(float32(x)).IsNaN())
				continue
			}
			check(t, x)
		}
	})
}
