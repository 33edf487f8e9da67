package fp6_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/fp6"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

const signBit = 0x20

// number is what the types have in common.
type number[T any] interface {
	~uint8
	Float32() float32
	Bits() uint8
	IsZero() bool
	IsNormal() bool
	IsSubnormal() bool
	Signbit() bool
	Equal(T) bool
	Less(T) bool
	Compare(T) int
	String() string
}

// definition says what a format is: the table of the specification, by rows of an
// exponent, and where it ends.
type definition[T number[T]] struct {
	mantBits int
	values   []float64
	next     float64 // the value behind the largest, if there were one
	from32   func(float32) T
	from64   func(float64) T
	fromBits func(uint8) T

	max, normal, subnormal, epsilon float64
	maxExp                          int
}

var e2m3 = definition[fp6.E2M3]{
	mantBits: 3,
	values: []float64{
		0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875,
		1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875,
		2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75,
		4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5,
	},
	next:   8,
	from32: fp6.E2M3FromFloat32, from64: fp6.E2M3FromFloat64, fromBits: fp6.E2M3FromBits,
	max: fp6.E2M3Max, normal: fp6.E2M3SmallestNormal, subnormal: fp6.E2M3SmallestSubnormal,
	epsilon: fp6.E2M3Epsilon, maxExp: fp6.E2M3MaxExp,
}

var e3m2 = definition[fp6.E3M2]{
	mantBits: 2,
	values: []float64{
		0, 0.0625, 0.125, 0.1875,
		0.25, 0.3125, 0.375, 0.4375,
		0.5, 0.625, 0.75, 0.875,
		1, 1.25, 1.5, 1.75,
		2, 2.5, 3, 3.5,
		4, 5, 6, 7,
		8, 10, 12, 14,
		16, 20, 24, 28,
	},
	next:   32,
	from32: fp6.E3M2FromFloat32, from64: fp6.E3M2FromFloat64, fromBits: fp6.E3M2FromBits,
	max: fp6.E3M2Max, normal: fp6.E3M2SmallestNormal, subnormal: fp6.E3M2SmallestSubnormal,
	epsilon: fp6.E3M2Epsilon, maxExp: fp6.E3M2MaxExp,
}

func TestE2M3(t *testing.T) { testFormat(t, &e2m3) }
func TestE3M2(t *testing.T) { testFormat(t, &e3m2) }

func testFormat[T number[T]](t *testing.T, d *definition[T]) {
	t.Run("Values", func(t *testing.T) { testValues(t, d) })
	t.Run("Limits", func(t *testing.T) { testLimits(t, d) })
	t.Run("Comparison", func(t *testing.T) { testComparison(t, d) })
	t.Run("Conversions", func(t *testing.T) { testConversions(t, d) })
	t.Run("DoubleRounding", func(t *testing.T) { testDoubleRounding(t, d) })
	t.Run("AllFloat32", func(t *testing.T) { testAllFloat32(t, d) })
}

// value returns the value of a code of six bits.
func (d *definition[T]) value(code int) float64 {
	v := d.values[code&^signBit]
	if code&signBit != 0 {
		v = math.Copysign(v, -1)
	}
	return v
}

func (d *definition[T]) grid() gridtest.Grid {
	return gridtest.New(len(d.values), func(i int) float64 { return d.values[i] }, d.next)
}

// fromIndex returns the code that a number nearest to a value of the grid gets.
func (d *definition[T]) fromIndex(index int, negative bool) T {
	c := T(min(index, len(d.values)-1))
	if negative {
		c |= signBit
	}
	return c
}

// checker returns a function that holds the conversions of x, and of x rounded to
// float32, against the definition.
func checker[T number[T]](d *definition[T]) func(t *testing.T, x float64) {
	g := d.grid()
	want := func(x float64) T {
		if x != x {
			return 0
		}
		return d.fromIndex(g.Nearest(math.Abs(x)), math.Signbit(x))
	}
	return func(t *testing.T, x float64) {
		t.Helper()
		if got := d.from64(x); got != want(x) {
			t.Fatalf("from float64 %v (%#x): %#x, want %#x", x, math.Float64bits(x), uint8(got), uint8(want(x)))
		}
		y := float32(x)
		if got := d.from32(y); got != want(float64(y)) {
			t.Fatalf("from float32 %v (%#x): %#x, want %#x", y, math.Float32bits(y), uint8(got), uint8(want(float64(y))))
		}
	}
}

func testValues[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		c, v := T(i), d.value(i&0x3F) // the two highest bits do not count
		assert.Equal(t, math.Float64bits(v), math.Float64bits(float64(c.Float32())), "%#02x", i)
		assert.EqualValues(t, i&0x3F, c.Bits())
		assert.EqualValues(t, i&0x3F, d.fromBits(uint8(i)))
		assert.Equal(t, v == 0, c.IsZero(), "IsZero(%#02x)", i)
		assert.Equal(t, math.Abs(v) >= d.normal, c.IsNormal(), "IsNormal(%#02x)", i)
		assert.Equal(t, v != 0 && math.Abs(v) < d.normal, c.IsSubnormal(), "IsSubnormal(%#02x)", i)
		assert.Equal(t, math.Signbit(v), c.Signbit(), "Signbit(%#02x)", i)
		read, err := strconv.ParseFloat(c.String(), 64)
		require.NoError(t, err)
		assert.Equal(t, math.Float64bits(v), math.Float64bits(read), "String(%#02x)", i)
	}
}

func testLimits[T number[T]](t *testing.T, d *definition[T]) {
	largest := d.values[len(d.values)-1]
	assert.Equal(t, largest, d.max)
	assert.Equal(t, math.Ilogb(largest), d.maxExp)
	assert.Equal(t, d.values[1], d.subnormal)
	assert.Equal(t, d.values[1<<d.mantBits], d.normal)
	for i, v := range d.values[:len(d.values)-1] {
		if v == 1 {
			assert.Equal(t, d.epsilon, d.values[i+1]-v)
		}
	}
}

func testComparison[T number[T]](t *testing.T, d *definition[T]) {
	for i := range 256 {
		for j := range 256 {
			x, y := T(i), T(j)
			v, w := d.value(i&0x3F), d.value(j&0x3F)
			if x.Equal(y) != (v == w) || x.Less(y) != (v < w) || x.Compare(y) != cmp.Compare(v, w) {
				t.Fatalf("%v and %v: Equal %t, Less %t, Compare %d", v, w, x.Equal(y), x.Less(y), x.Compare(y))
			}
		}
	}
}

func testConversions[T number[T]](t *testing.T, d *definition[T]) {
	check := checker(d)
	for _, x := range d.grid().Probes() {
		check(t, x)
		check(t, -x)
	}
	check(t, math.NaN())
	check(t, math.Copysign(math.NaN(), -1))
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		check(t, float64(math.Float32frombits(r.Uint32())))
		check(t, math.Float64frombits(r.Uint64()))
		check(t, r.Float64()*2*d.next-d.next)
	}
}

// A float32 cannot tell these float64 from the midpoint beside them.
func testDoubleRounding[T number[T]](t *testing.T, d *definition[T]) {
	for i := range len(d.values) - 1 {
		mid := (d.values[i] + d.values[i+1]) / 2
		assert.EqualValues(t, i, d.from64(math.Nextafter(mid, 0)))
		assert.EqualValues(t, i+1, d.from64(math.Nextafter(mid, d.next)))
	}
}

func testAllFloat32[T number[T]](t *testing.T, d *definition[T]) {
	if os.Getenv("LOWBIT_EXHAUSTIVE") == "" {
		t.Skip("2^32 inputs: set LOWBIT_EXHAUSTIVE=1")
	}
	all := func(first, last uint32, plus, minus T) {
		for b := first; b <= last; b++ {
			x, y := math.Float32frombits(b), math.Float32frombits(b|1<<31)
			if d.from32(x) != plus || d.from32(y) != minus {
				t.Errorf("from float32 +-%v (%#x): %v %v, want %v %v", x, b, d.from32(x), d.from32(y), plus, minus)
				return
			}
		}
	}
	d.grid().Walk(func(first, last uint32, index int) {
		all(first, last, d.fromIndex(index, false), d.fromIndex(index, true))
	})
	all(0x7F800001, 0x7FFFFFFF, 0, 0)
}

// TestOverflow writes down, in numbers, where each format ends.
func TestOverflow(t *testing.T) {
	inf := float32(math.Inf(1))
	assert.EqualValues(t, 7, fp6.E2M3FromFloat32(math.Nextafter32(7.25, 0)).Float32())
	assert.EqualValues(t, 7, fp6.E2M3FromFloat32(7.25).Float32())
	assert.EqualValues(t, 7.5, fp6.E2M3FromFloat32(math.Nextafter32(7.25, 8)).Float32())
	assert.EqualValues(t, -7.5, fp6.E2M3FromFloat32(-inf).Float32())
	assert.EqualValues(t, 24, fp6.E3M2FromFloat32(26).Float32())
	assert.EqualValues(t, 28, fp6.E3M2FromFloat32(math.Nextafter32(26, 28)).Float32())
	assert.EqualValues(t, -28, fp6.E3M2FromFloat32(-inf).Float32())
}

// bits is the definition of the packing: a stream of bits, the lowest first.
func bits(codes []fp6.E2M3) []byte {
	out := make([]byte, (6*len(codes)+7)/8)
	for i, c := range codes {
		for k := range 6 {
			at := 6*i + k
			out[at/8] |= byte(c) >> k & 1 << (at % 8)
		}
	}
	return out
}

func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		codes := make([]fp6.E2M3, n)
		for i := range codes {
			codes[i] = fp6.E2M3(r.UintN(64))
		}
		want := bits(codes)
		require.Equal(t, len(want), fp6.PackedLen(n))
		packed := make([]byte, len(want))
		for i := range packed {
			packed[i] = 0xFF
		}
		for i := range codes {
			codes[i] |= 0xC0 // does not count
		}
		fp6.Pack(packed, codes)
		require.Equal(t, want, packed, "%d codes", n)
		back := make([]fp6.E2M3, n)
		fp6.Unpack(back, packed)
		for i, c := range back {
			require.Equal(t, codes[i]&0x3F, c)
		}
	}
	assert.PanicsWithValue(t, "fp6: Pack: len(dst)=3, want 4", func() { fp6.Pack(make([]byte, 3), make([]fp6.E3M2, 5)) })
	assert.PanicsWithValue(t, "fp6: Unpack: len(src)=5, want 4", func() { fp6.Unpack(make([]fp6.E3M2, 5), make([]byte, 5)) })
}

func FuzzConversions(f *testing.F) {
	for _, x := range []float64{0, -0.25, 5, 7, 1e300, math.Inf(-1), math.NaN()} {
		f.Add(math.Float64bits(x))
	}
	checkE2M3, checkE3M2 := checker(&e2m3), checker(&e3m2)
	f.Fuzz(func(t *testing.T, bits uint64) {
		for _, x := range []float64{math.Float64frombits(bits), float64(math.Float32frombits(uint32(bits)))} {
			checkE2M3(t, x)
			checkE3M2(t, x)
		}
	})
}
