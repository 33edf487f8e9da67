package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/guard"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// withPortable runs f with the portable implementation, which is the oracle.
func withPortable(f func()) {
	before := kernels.Implementation()
	defer kernels.Use(before)
	kernels.Use("generic")
	f()
}

// Every implementation that package kernels has, package gguf knows.
func TestImplementations(t *testing.T) {
	seen := map[asm.ISA]bool{}
	forEachImplementation(t, func(t *testing.T) {
		require.False(t, seen[isa.Current()])
		require.Equal(t, kernels.Implementation() == "generic", isa.Current() == asm.Generic)
		seen[isa.Current()] = true
	})
}

// halves are float16s at the edges of what they can be.
var halves = []uint16{0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xfe00, 0x7fff, 0xffff}

// randomBlocks fills blocks with random bytes. Most have finite scales, or else few blocks would be done by generated code.
func randomBlocks(rng *rand.Rand, blocks []byte, t Type) {
	for i := range blocks {
		blocks[i] = byte(rng.Uint32())
	}
	special := rng.IntN(3) == 0
	for at := 0; at < len(blocks); at += t.BlockBytes() {
		for _, place := range scalePlaces[t] {
			h := uint16(rng.Uint32())
			if special && rng.IntN(4) == 0 {
				h = halves[rng.IntN(len(halves))]
			} else if badHalf(h) {
				h &^= 0x4000
			}
			binary.LittleEndian.PutUint16(blocks[at+place:], h)
		}
	}
}

// Every implementation gives the bits of the portable code for any blocks, NaN and infinities as scales too, at any address, and touches nothing
// beside them.
func TestDequantizeBits(t *testing.T) {
	const most = 80 * 32
	from, to := guard.Bytes(most), guard.Bytes(4*most)
	forEachImplementation(t, func(t *testing.T) {
		if isa.Current() == asm.Generic {
			t.Skip("the oracle")
		}
		rng := rand.New(rand.NewPCG(7, 7))
		for _, typ := range Types() {
			if !typ.Quantized() {
				continue
			}
			for try := range 60 {
				n := typ.BlockLen() * (1 + rng.IntN(most/typ.BlockLen()))
				size := typ.Bytes(n)
				blocks := from[:size]
				if room := len(from) - size; try%3 == 1 {
					blocks = from[room:]
				} else if try%3 == 2 {
					blocks = from[min(rng.IntN(64), room):][:size]
				}
				randomBlocks(rng, blocks, typ)
				b := Blocks{Type: typ}
				want := make([]float32, n)
				withPortable(func() { Dequantize(want, blocks, b) })

				for i := range to {
					to[i] = 0xa5
				}
				first := 0 // elements lie at multiples of their size
				if try%2 == 1 {
					first = len(to)/4 - n
				} else if room := len(to)/4 - n; room > 0 {
					first = rng.IntN(min(16, room))
				}
				all := elementsOf[float32](to, len(to)/4)
				got := all[first : first+n]
				Dequantize(got, blocks, b)
				for i := range want {
					if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
						t.Fatalf("%v, element %d of %d: %#08x, want %#08x, block % x", typ, i, n, math.Float32bits(got[i]), math.Float32bits(want[i]),
							blocks[typ.Bytes(i/typ.BlockLen()*typ.BlockLen()):][:typ.BlockBytes()])
					}
				}
				for i, v := range all {
					if (i < first || i >= first+n) && math.Float32bits(v) != 0xa5a5a5a5 {
						t.Fatalf("%v, %d elements: wrote beside them", typ, n)
					}
				}
				compareNarrow(t, make([]float16.Float16, n), elementsOf[float16.Float16](to, len(to)/2)[len(to)/2-n:], blocks, b)
				compareNarrow(t, make([]bf16.BFloat16, n), elementsOf[bf16.BFloat16](to, len(to)/2)[len(to)/2-n:], blocks, b)
			}
		}
	})
}

// compareNarrow does the same for elements of two bytes.
func compareNarrow[T interface {
	float16.Float16 | bf16.BFloat16
}](t *testing.T, want, got []T, blocks []byte, b Blocks) {
	withPortable(func() { Dequantize(want, blocks, b) })
	Dequantize(got, blocks, b)
	require.Equal(t, want, got, "%v as elements of %d bytes", b.Type, unsafe.Sizeof(want[0]))
}

// More elements than are done at a time, with a scale that is a NaN in the second part.
func TestDequantizeParts(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, typ := range []Type{Q8_0, Q6_K, NVFP4} {
			n := 2*mostAtOnce + 256
			blocks := make([]byte, typ.Bytes(n))
			randomBlocks(rand.New(rand.NewPCG(8, 8)), blocks, typ)
			if places := scalePlaces[typ]; places != nil {
				binary.LittleEndian.PutUint16(blocks[typ.Bytes(mostAtOnce+256)+places[0]:], 0x7e01)
			}
			want, got := make([]float32, n), make([]float32, n)
			withPortable(func() { Dequantize(want, blocks, Blocks{Type: typ}) })
			Dequantize(got, blocks, Blocks{Type: typ})
			for i := range want {
				if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
					t.Fatalf("%v, element %d: %v, want %v", typ, i, got[i], want[i])
				}
			}
		}
	})
}

// kinds of elements in which groups differ from each other and searches go their several ways.
var kinds = []func(rng *rand.Rand) float32{
	func(rng *rand.Rand) float32 { return float32(0.02 * rng.NormFloat64()) },
	func(rng *rand.Rand) float32 { return float32(rng.IntN(9)-4) / 8 },      // ties
	func(rng *rand.Rand) float32 { return float32(1-2*rng.IntN(2)) * 0.75 }, // equal magnitudes
	func(rng *rand.Rand) float32 {
		return math.Float32frombits(uint32(100+rng.IntN(60))<<23 - rng.Uint32()%3)
	}, // about powers of two
	func(rng *rand.Rand) float32 { return float32(rng.IntN(40) / 39) }, // few
	func(rng *rand.Rand) float32 { return negativeZero * float32(rng.IntN(2)) },
	func(rng *rand.Rand) float32 { return 3 + rng.Float32() }, // of one sign
	func(rng *rand.Rand) float32 { return -3 - rng.Float32() },
	func(rng *rand.Rand) float32 { return 0.25 },
	func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) * 1e-20 },
	func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) * 1e-42 },
	func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) * 1e37 },
	func(rng *rand.Rand) float32 { return float32(math.Exp(20 * rng.NormFloat64())) },
	func(rng *rand.Rand) float32 { return math.Float32frombits(rng.Uint32()) },
	func(rng *rand.Rand) float32 { return float32(math.Inf(rng.IntN(2) - 1)) },
	func(*rand.Rand) float32 { return float32(math.NaN()) }, // beside usual ones too
}

// mixed returns groups of sixteen elements, each of one kind or, rarely, of two.
func mixed(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	usual := rng.IntN(2) == 0
	for at := 0; at < n; at += 16 {
		kind := kinds[0]
		if !usual || rng.IntN(8) == 0 {
			kind = kinds[rng.IntN(len(kinds))]
		}
		for i := range x[at : at+16] {
			x[at+i] = kind(rng)
		}
		if rng.IntN(8) == 0 {
			x[at+rng.IntN(16)] = kinds[rng.IntN(len(kinds))](rng)
		}
	}
	return x
}

// Every implementation writes the bytes of the portable code for any elements, any number of blocks and any weights that are not negative.
func TestQuantizeBits(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		if isa.Current() == asm.Generic {
			t.Skip("the oracle")
		}
		rng := rand.New(rand.NewPCG(9, 9))
		forEachCodec(t, 256, func(t *testing.T, b Blocks) {
			if !b.Type.Quantized() {
				return
			}
			for range 12 {
				b.Row = b.Type.BlockLen() * (1 + rng.IntN(1024/b.Type.BlockLen()))
				x := mixed(rng, b.Row*(1+rng.IntN(3)))
				if b.Importance != nil {
					b.Importance = make([]float32, b.Row)
					for i := range b.Importance {
						b.Importance[i] = float32(rng.IntN(9)) * rng.Float32()
					}
				}
				var want []byte
				withPortable(func() { want = quantized(x, b) })
				require.Equal(t, want, quantized(x, b), "%d rows of %d", len(x)/b.Row, b.Row)
			}
		})
	})
}

// TestTries holds the searches to what RangedSearch asks for: all tries but the last nine are to make no level above the greatest.
func TestTries(t *testing.T) {
	for _, s := range []rangedSearch{searchQ2_K, searchQ4_K, searchQ5_K, searchQ2_KWeighed, search4Weighed, search5Weighed} {
		for k := range s.steps + 1 - 9 {
			require.Less(t, s.from+s.step*float32(k), float32(0.49), "n=%v try %d", s.n, k)
		}
	}
}

// The same for rows of any length in whole blocks, at any address, of elements that are followed by memory that may not be read, with memory
// behind the blocks that may not be written; and nothing before them is.
func TestQuantizeSimpleBits(t *testing.T) {
	const most = 4096 + 27*32
	from, to := guard.Bytes(4*most), guard.Bytes(2*most)
	forEachImplementation(t, func(t *testing.T) {
		if isa.Current() == asm.Generic {
			t.Skip("the oracle")
		}
		rng := rand.New(rand.NewPCG(10, 10))
		for _, typ := range []Type{Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, MXFP4, NVFP4} {
			for try := range 48 {
				n := typ.BlockLen() * (1 + rng.IntN(min(most, 64<<(try%8))/typ.BlockLen()))
				all := elementsOf[float32](from, most)
				x := all[most-n:]
				if try%2 == 1 {
					x = all[rng.IntN(most-n+1):][:n]
				}
				if try%3 == 0 { // as of bfloat16, so that magnitudes are often the same
					for i := range x {
						x[i] = math.Float32frombits(math.Float32bits(float32(rng.NormFloat64())) &^ 0xffff)
					}
				} else {
					copy(x, mixed(rng, n))
				}
				b := Blocks{Type: typ}
				var want []byte
				withPortable(func() { want = quantized(x, b) })
				for i := range to {
					to[i] = 0xa5
				}
				got := to[len(to)-len(want):]
				if try%4 > 1 {
					got = to[rng.IntN(min(64, len(to)-len(want))):][:len(want)]
				}
				Quantize(got, x, b)
				for i := range want {
					if got[i] != want[i] {
						size := typ.BlockBytes()
						at := i / size
						t.Fatalf("%v, block %d of %d: % x, want % x of %v", typ, at, len(want)/size, got[at*size:][:size], want[at*size:][:size],
							x[at*typ.BlockLen():][:typ.BlockLen()])
					}
				}
				clear(got)
				for _, v := range to {
					if v != 0xa5 && v != 0 {
						t.Fatalf("%v, %d elements: wrote beside them", typ, n)
					}
				}
				compareShorts(t, x, b, float16.Fromfloat32)
				compareShorts(t, x, b, bf16.FromFloat32)
			}
		}
	})
}

// compareShorts does the same for elements of two bytes, whose ranges are found from them as they are.
func compareShorts[T interface {
	float16.Float16 | bf16.BFloat16
}](t *testing.T, x []float32, b Blocks, narrow func(float32) T) {
	in := make([]T, len(x))
	for i, v := range x {
		in[i] = narrow(v)
	}
	var want []byte
	withPortable(func() { want = quantized(in, b) })
	require.True(t, bytes.Equal(want, quantized(in, b)), "%v of %T, %d elements", b.Type, in, len(in))
}

// TestScalesOverflow: a scale that is NaN rounds to 0, as in C, and leaves the second level a sum of 0 to divide by.
func TestScalesOverflow(t *testing.T) {
	scales, w := make([]float32, 16), make([]float32, 16)
	for i := range scales {
		scales[i], w[i] = float32(math.NaN()), 1
	}
	scales[5] = float32(math.Inf(-1))
	require.Zero(t, searchSymmetric(scales, w, 32).scale)
}

// A NaN or an infinity is found wherever it is, and nothing else is taken for one.
func TestFirstNotFinite(t *testing.T) {
	const n = 2*pieceLen + 33
	forEachImplementation(t, func(t *testing.T) {
		for typ, bad := range map[Type][]byte{F32: {0, 0, 0x80, 0x7f}, F16: {1, 0xfc}, BF16: {0x80, 0xff}} {
			size := len(bad)
			b := bytes.Repeat([]byte{0xff, 0xff, 0x7f, 0x7f}[4-size:], n) // the greatest numbers, or nearly
			if typ == F16 {
				b = bytes.Repeat([]byte{0xff, 0xfb}, n)
			}
			require.Equal(t, -1, firstNotFinite(b, typ))
			require.Equal(t, -1, firstNotFinite(b[:size-1], typ))
			for _, at := range []int{n - 1, pieceLen, pieceLen - 1, 0} {
				copy(b[size*at:], bad)
				require.Equal(t, at, firstNotFinite(b, typ), "%v", typ)
			}
		}
	})
}
