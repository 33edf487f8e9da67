package minifloat_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/internal/minifloat"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

// parameters of grids of all kinds, some of no format in use.
var parameters = []struct {
	mantBits uint
	minExp   int
	codes    int // as many as a test lists
}{
	{mantBits: 0, minExp: -126, codes: 200},
	{mantBits: 0, minExp: 1, codes: 20},
	{mantBits: 1, minExp: 0, codes: 8},
	{mantBits: 1, minExp: 1, codes: 64},
	{mantBits: 2, minExp: -14, codes: 128},
	{mantBits: 3, minExp: -6, codes: 128},
	{mantBits: 3, minExp: -7, codes: 128},
	{mantBits: 7, minExp: -126, codes: 200 << 7},
	{mantBits: 10, minExp: -14, codes: 1 << 15},
}

// value is the definition in the package comment.
func value(code int, mantBits uint, minExp int) float64 {
	exp, m := code>>mantBits, code&(1<<mantBits-1)
	if exp == 0 {
		return math.Ldexp(float64(m), minExp-int(mantBits))
	}
	return math.Ldexp(float64(1<<mantBits+m), minExp-int(mantBits)+exp-1)
}

func TestValue(t *testing.T) {
	for _, p := range parameters {
		for c := range p.codes {
			got, want := minifloat.Value(uint32(c), p.mantBits, p.minExp), value(c, p.mantBits, p.minExp)
			if float64(got) != want {
				t.Fatalf("%+v: Value(%d) = %v, want %v", p, c, got, want)
			}
		}
	}
}

func TestMagnitude(t *testing.T) {
	for _, p := range parameters {
		t.Run(fmt.Sprintf("p%de%d", p.mantBits, p.minExp), func(t *testing.T) {
			g := gridtest.New(p.codes, func(i int) float64 { return value(i, p.mantBits, p.minExp) },
				value(p.codes, p.mantBits, p.minExp))
			g.TieUp = p.mantBits == 0
			inputs := g.Probes()
			r := rand.New(rand.NewPCG(1, 2))
			for range 20000 {
				inputs = append(inputs, r.Float64()*g.Values[p.codes-1], float64(math.Float32frombits(r.Uint32()>>1)))
			}
			for _, x := range inputs {
				x := float32(x)
				if x != x {
					continue
				}
				want := uint32(g.Nearest(float64(x)))
				if float64(x) == g.Values[1]/2 {
					want = 0 // half of the least value: zero is even, with or without mantissa bits
				}
				for _, x := range []float32{x, -x} {
					// Codes that the list does not hold are only known to be beyond it.
					if got := min(minifloat.Magnitude(x, p.mantBits, p.minExp), uint32(p.codes)); got != want {
						t.Fatalf("Magnitude(%v) = %d, want %d", x, got, want)
					}
				}
			}
		})
	}
}

func TestMagnitudeOfHugeNumbers(t *testing.T) {
	largest := minifloat.Magnitude(0x1p100, 7, -126)
	assert.EqualValues(t, (100+126+1)<<7, largest)
	for _, x := range []float32{0x1p101, 0x1p127, math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1))} {
		assert.Equal(t, largest, minifloat.Magnitude(x, 7, -126), "%v", x)
	}
}

// TestNarrow checks the definition of rounding to odd: x itself if that is a
// float32, and else the neighbour whose last bit is 1.
func TestNarrow(t *testing.T) {
	inputs := []float64{
		math.SmallestNonzeroFloat64, 0x1p-150, 0x1.8p-149, 0x1p-126 - 0x1p-160, 0x1p-1022,
		math.MaxFloat32, 0x1.FFFFFEFp127, 0x1.FFFFFFp127, 0x1p128, math.MaxFloat64,
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		inputs = append(inputs,
			math.Float64frombits(r.Uint64()),
			math.Exp2(r.Float64()*300-150),
			math.Nextafter(float64(math.Float32frombits(r.Uint32())), r.NormFloat64()))
	}
	for _, x := range inputs {
		if x != x {
			continue
		}
		for _, x := range []float64{x, -x} {
			got := minifloat.Narrow(x)
			exact := float64(float32(x)) == x
			below, above := float64(math.Nextafter32(got, float32(math.Inf(-1)))), float64(math.Nextafter32(got, float32(math.Inf(1))))
			switch {
			case exact && float64(got) == x:
			case !exact && below < x && x < above && math.Float32bits(got)&1 == 1:
			default:
				if math.Abs(x) > math.MaxFloat32 && math.Abs(float64(got)) == math.MaxFloat32 && math.Signbit(x) == math.Signbit(float64(got)) {
					continue // out of range
				}
				t.Fatalf("Narrow(%v) (%#x) = %v", x, math.Float64bits(x), got)
			}
		}
	}
}

func TestNarrowOfSpecialValues(t *testing.T) {
	for _, c := range []struct {
		x    uint64
		want uint32
	}{
		{0, 0},
		{1 << 63, 1 << 31},
		{1, 1},
		{1<<63 | 1, 1<<31 | 1},
		{0x7FF0_0000_0000_0000, 0x7F80_0000},
		{0xFFF0_0000_0000_0000, 0xFF80_0000},
		{0x7FF0_0000_0000_0001, 0x7FC0_0000},
		{0xFFF8_0000_0000_0000, 0xFFC0_0000},
		{0x7FFF_FFFF_FFFF_FFFF, 0x7FFF_FFFF},
		{0xFFF4_0000_2000_0000, 0xFFE0_0001},
	} {
		assert.Equal(t, c.want, math.Float32bits(minifloat.Narrow(math.Float64frombits(c.x))), "%#x", c.x)
	}
}
