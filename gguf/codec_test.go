package gguf

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/race"
	"github.com/lowbit-go/lowbit/kernels"
)

// weights returns rows of elements as weights are, and an importance matrix for them.
func weights(rng *rand.Rand, n, row int) (x, im []float32) {
	x, im = make([]float32, n), make([]float32, row)
	for i := range x {
		x[i] = float32(0.02 * rng.NormFloat64())
	}
	for i := range im {
		im[i] = rng.Float32()
	}
	return x, im
}

// quantized returns the blocks of elements.
func quantized[T kernels.Float](x []T, b Blocks) []byte {
	blocks := make([]byte, b.Type.Bytes(len(x)))
	Quantize(blocks, x, b)
	return blocks
}

// forEachCodec runs a test for each type, without an importance matrix and with one if that makes a difference.
func forEachCodec(t *testing.T, row int, test func(t *testing.T, b Blocks)) {
	_, im := weights(rand.New(rand.NewPCG(1, 1)), 0, row)
	for _, typ := range Types() {
		t.Run(typ.String(), func(t *testing.T) { test(t, Blocks{Type: typ, Row: row}) })
		if typ.Weighed() {
			t.Run(typ.String()+"/importance", func(t *testing.T) { test(t, Blocks{Type: typ, Row: row, Importance: im}) })
		}
	}
}

// Results do not depend on workers, nor on how many rows come at a time; what is behind the destination stays as it was.
func TestRowsAndWorkers(t *testing.T) {
	const row, rows = 2560, 7 // a row is more than a piece
	forEachCodec(t, row, func(t *testing.T, b Blocks) {
		x, _ := weights(rand.New(rand.NewPCG(2, 2)), row*rows, row)
		size := b.Type.Bytes(row)
		guarded := bytes.Repeat([]byte{0xa5}, size*rows+16)
		want := guarded[:size*rows]
		Quantize(want, x, b)
		require.Equal(t, bytes.Repeat([]byte{0xa5}, 16), guarded[size*rows:])
		values := make([]float32, len(x))
		Dequantize(values, want, b)
		for _, workers := range []int{1, 2, 5, 100} {
			b.Workers = workers
			require.Equal(t, want, quantized(x, b), "%d workers", workers)
			got := make([]float32, len(x))
			Dequantize(got, want, b)
			require.Equal(t, values, got, "%d workers", workers)
		}
		b.Workers = 0
		for i := range rows {
			require.Equal(t, want[size*i:size*i+size], quantized(x[row*i:row*i+row], b), "row %d alone", i)
		}
		require.Empty(t, quantized[float32](nil, b))
	})
}

// Two-byte elements give what they give widened, and take what is rounded once.
func TestElementTypes(t *testing.T) {
	const row = 256 * 9
	forEachCodec(t, row, func(t *testing.T, b Blocks) {
		x, _ := weights(rand.New(rand.NewPCG(3, 3)), 2*row, row)
		testElements(t, x, b, float16.Fromfloat32, float16.Float16.Float32)
		testElements(t, x, b, bf16.FromFloat32, bf16.BFloat16.Float32)
	})
}

func testElements[T interface {
	float16.Float16 | bf16.BFloat16
}](t *testing.T, x []float32, b Blocks, narrow func(float32) T, widen func(T) float32) {
	in, wide := make([]T, len(x)), make([]float32, len(x))
	for i, v := range x {
		in[i] = narrow(v)
		wide[i] = widen(in[i])
	}
	blocks := quantized(in, b)
	require.True(t, bytes.Equal(quantized(wide, b), blocks), "%T", in)
	Dequantize(wide, blocks, b)
	out := make([]T, len(x))
	Dequantize(out, blocks, b)
	for i, v := range wide {
		require.Equal(t, narrow(v), out[i], "%T: element %d, %v", in, i, v)
	}
}

func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector drops what a sync.Pool has")
	}
	forEachCodec(t, 256, func(t *testing.T, b Blocks) {
		x, half, other := make([]float32, 512), make([]float16.Float16, 512), make([]bf16.BFloat16, 512)
		blocks := make([]byte, b.Type.Bytes(512))
		require.Zero(t, testing.AllocsPerRun(5, func() {
			Quantize(blocks, x, b)
			Dequantize(x, blocks, b)
			Quantize(blocks, half, b)
			Dequantize(half, blocks, b)
			Quantize(blocks, other, b)
			Dequantize(other, blocks, b)
		}))
	})
}

func TestMistakes(t *testing.T) {
	x, blocks := make([]float32, 512), make([]byte, 288)
	for want, call := range map[string]func(){
		"gguf: Quantize: len(dst)=288, want 144":                                       func() { Quantize(blocks, x[:256], Blocks{Type: Q4_K}) },
		"gguf: Quantize: rows of 100 elements, want a multiple of the 256 of a block":  func() { Quantize(blocks, x[:100], Blocks{Type: Q4_K}) },
		"gguf: Quantize: len(src)=512, want a multiple of the 1024 of a row":           func() { Quantize(blocks, x, Blocks{Type: Q4_K, Row: 1024}) },
		"gguf: Quantize: rows of -256 elements, want a multiple of the 256 of a block": func() { Quantize(blocks, x, Blocks{Type: Q4_K, Row: -256}) },
		"gguf: Quantize: len(Importance)=256, want 512":                                func() { Quantize(blocks, x, Blocks{Type: Q4_K, Importance: x[:256]}) },
		"gguf: Quantize: IQ2_XS is not supported":                                      func() { Quantize(blocks, x, Blocks{Type: IQ2_XS}) },
		"gguf: Dequantize: type 99 is not supported":                                   func() { Dequantize(x, blocks, Blocks{Type: 99}) },
		"gguf: Dequantize: len(src)=288, want 144":                                     func() { Dequantize(x[:256], blocks, Blocks{Type: Q4_K}) },
		"gguf: Dequantize: len(dst)=512, want a multiple of the 1024 of a row":         func() { Dequantize(x, blocks, Blocks{Type: Q4_K, Row: 1024}) },
	} {
		require.PanicsWithValue(t, want, call)
	}
}

// What is decoded is near what went in: the error, relative to the deviation of the elements, is what that many bits can do.
func TestAccuracy(t *testing.T) {
	x, _ := weights(rand.New(rand.NewPCG(4, 4)), 256*64, 256)
	energy := 0.0
	for _, v := range x {
		energy += float64(v) * float64(v)
	}
	most := map[Type]float64{
		F32: 0, F16: 0.001, BF16: 0.003, Q8_0: 0.007, Q6_K: 0.02, Q5_0: 0.06, Q5_1: 0.05, Q5_K: 0.04, Q4_0: 0.12, Q4_1: 0.1, Q4_K: 0.08,
		IQ4_NL: 0.09, IQ4_XS: 0.09, MXFP4: 0.13, NVFP4: 0.11, Q3_K: 0.18, Q2_K: 0.35,
	}
	forEachCodec(t, 256, func(t *testing.T, b Blocks) {
		got := make([]float32, len(x))
		Dequantize(got, quantized(x, b), b)
		sum := 0.0
		for i := range x {
			sum += (float64(got[i]) - float64(x[i])) * (float64(got[i]) - float64(x[i]))
		}
		limit := most[b.Type]
		if b.Importance != nil {
			limit *= 1.3
		}
		require.LessOrEqual(t, math.Sqrt(sum/energy), limit)
	})
}

// A block that is all but zero, or has one element, or two magnitudes, keeps what it can.
func TestPlainBlocks(t *testing.T) {
	forEachCodec(t, 256, func(t *testing.T, b Blocks) {
		for name, x := range map[string][]float32{
			"zeros":    make([]float32, 256),
			"negative": fill(256, negativeZero),
			"one":      append(make([]float32, 255), 1),
			"minus":    append([]float32{-1}, make([]float32, 255)...),
		} {
			got := make([]float32, 256)
			Dequantize(got, quantized(x, b), b)
			for i, v := range x {
				require.InDelta(t, v, got[i], 0.13, "%s: element %d", name, i)
			}
		}
	})
}

// The least value of a search is that of the try that is accepted, +0 where the first was -0: as ggml writes it.
func TestSignOfZero(t *testing.T) {
	x, importance := fill(32, negativeZero), fill(32, 0.25)
	x[26], x[31] = 0.00011127, 0
	want := []byte{124, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 0, 0, 0, 0, 0}
	require.Equal(t, want, quantized(x, Blocks{Type: Q4_1, Importance: importance}))
}

func fill(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// NaN, infinities and elements of any size do not panic, and leave the blocks beside them as they are.
func TestAnyElements(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	forEachCodec(t, 256, func(t *testing.T, b Blocks) {
		plain, _ := weights(rng, 256, 256)
		want := quantized(plain, b)
		for range 50 {
			wild := make([]float32, 256)
			for i := range wild {
				wild[i] = math.Float32frombits(rng.Uint32())
				if rng.IntN(16) == 0 {
					wild[i] = float32(math.Inf(rng.IntN(2) - 1))
				}
			}
			x := append(append(append([]float32{}, plain...), wild...), plain...)
			blocks := quantized(x, b)
			size := len(want)
			require.Equal(t, want, blocks[:size])
			require.Equal(t, want, blocks[2*size:])
			Dequantize(x, blocks, b)
		}
	})
}

// Rounding to float16 is that of package float16, but for NaN.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		got, want := fromHalf(uint16(h)), float16.Float16(h).Float32()
		if want != want {
			require.True(t, got != got)
			continue
		}
		if math.Float32bits(want) != math.Float32bits(got) {
			t.Fatalf("%#04x is %v, want %v", h, got, want)
		}
	}
	const step = 4099 // a prime
	for b := uint32(0); b < 1<<32-step; b += step {
		x := math.Float32frombits(b)
		want := float16.Fromfloat32(x).Bits()
		if x != x {
			want = 0x7e00
		}
		if got := toHalf(x); got != want {
			t.Fatalf("%#08x rounds to %#04x, want %#04x", b, got, want)
		}
	}
	for h := range 0x7c00 {
		// The middle between two neighbours, and the numbers beside it.
		middle := math.Float32bits((fromHalf(uint16(h)) + nextHalf(uint16(h))) / 2)
		for b := middle - 1; b <= middle+1; b++ {
			x := math.Float32frombits(b)
			if want, got := float16.Fromfloat32(x).Bits(), toHalf(x); got != want {
				t.Fatalf("%#08x rounds to %#04x, want %#04x", b, got, want)
			}
		}
	}
}

// nextHalf is the float16 above, 65536 above the last.
func nextHalf(h uint16) float32 {
	if h == 0x7bff {
		return 65536
	}
	return fromHalf(h + 1)
}

// The exponent of a block of MXFP4 is that of the logarithm, rounded to float32, for all numbers about all powers of two.
func TestLog2(t *testing.T) {
	for exponent := -121; exponent < 128; exponent++ {
		power := math.Float32bits(float32(math.Ldexp(1, exponent)))
		for b := power - 100; b <= power+2; b++ {
			x := math.Float32frombits(b)
			checkLog2(t, x)
		}
	}
	for b := uint32(6 << 23); b < 0x7f800000; b += 7919 { // and those between
		checkLog2(t, math.Float32frombits(b))
	}
}

func checkLog2(t *testing.T, x float32) {
	want := int(math.Floor(float64(float32(math.Log2(float64(x)))))) + 125
	if got := int(math.Float32bits(x)+log2Excess(x))>>23 - 2; got != want {
		t.Fatalf("%v (%#08x): %d, want %d", x, math.Float32bits(x), got, want)
	}
}

// Codes of e2m1 by a product and a table are those whose error is least, at all thresholds and beside them, for all scales.
func TestNearestFP4(t *testing.T) {
	check := func(factor, scale float32, what string) {
		for _, threshold := range []float32{1, 3, 5, 7, 10, 14, 20} {
			middle := math.Float32bits(threshold * scale / 2)
			for b := middle - 3; b <= middle+3; b++ {
				for _, sign := range []uint32{0, 1 << 31} {
					x := math.Float32frombits(b | sign)
					m := int32(float32(x * factor))
					require.Equal(t, fp4Nearest(x, scale), fp4Codes[max(min(m, 31), -31)&63], "%s, x = %v", what, x)
				}
			}
		}
	}
	for u := 1; u < 127; u++ {
		check(nvfp4Factors[u], ue4m3Halves[u], fmt.Sprintf("u = %#02x", u))
	}
	for e := 3; e < 250; e++ {
		check(math.Float32frombits(uint32(256-e)<<23-1), powerOfTwo(byte(e)), fmt.Sprintf("e = %d", e))
	}
}

// The table of IQ4_NL against a search; a number that is just between two values takes the upper one.
func TestNearestIQ4(t *testing.T) {
	for i := -600; i <= 600; i++ {
		for _, x := range []float32{float32(i) / 4, math.Nextafter32(float32(i)/4, 1000), math.Nextafter32(float32(i)/4, -1000)} {
			want := 0
			for code, v := range iq4Floats {
				if abs32(v-x) <= abs32(iq4Floats[want]-x) {
					want = code
				}
			}
			require.Equal(t, byte(want), iq4Code(x), "%v", x)
		}
	}
}

// What is packed is unpacked.
func TestScalesOfSixBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 100 {
		var scales, least [8]uint8
		var three [16]uint8
		for k := range three {
			scales[k%8], least[k%8], three[k] = uint8(rng.IntN(64)), uint8(rng.IntN(64)), uint8(rng.IntN(64))
		}
		var b [12]byte
		packScales4(&b, &scales, &least)
		s, l := unpackScales4(&b)
		require.Equal(t, scales, s)
		require.Equal(t, least, l)
		packScales3(&b, &three)
		require.Equal(t, three, unpackScales3(&b))
	}
}

// What an importance matrix does to a row does not depend on the rows beside it.
func TestQuantizeRowsApart(t *testing.T) {
	const rows, row = 11, 1248
	rng := rand.New(rand.NewPCG(11, 11))
	x := make([]bf16.BFloat16, rows*row)
	for i := range x {
		x[i] = bf16.FromFloat32(float32(rng.NormFloat64()))
	}
	wide := make([]float32, len(x))
	kernels.DecodeBFloat16(wide, x)
	b := Blocks{Row: row, Importance: make([]float32, row)}
	for i := range b.Importance {
		b.Importance[i] = rng.Float32()
	}
	for _, b.Type = range []Type{Q4_0, Q4_1, Q5_0, Q5_1} {
		var want []byte
		for at := 0; at < len(x); at += row {
			want = append(want, quantized(wide[at:at+row], b)...)
		}
		require.Equal(t, want, quantized(wide, b), "%v", b.Type)
		require.Equal(t, want, quantized(x, b), "%v of bfloat16", b.Type)
	}
}
