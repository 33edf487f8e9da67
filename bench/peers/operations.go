package main

import (
	"math"
	"math/rand/v2"
	"unsafe"

	bfloat16 "github.com/d4l3k/go-bfloat16"
	"github.com/tphakala/simd/f16"
	"github.com/tphakala/simd/f32"
	"github.com/tphakala/simd/i8"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bench"
	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// Peers.
const (
	simd  = "simd"  // github.com/tphakala/simd
	x448  = "x448"  // github.com/x448/float16 in a loop
	d4l3k = "d4l3k" // github.com/d4l3k/go-bfloat16 in a loop
	loop  = "loop"  // the loop that one writes
)

// scale is that of package bench. Zero points are 0.
const scale float32 = .0200003

// operation is one of package bench's that others do too.
type operation interface {
	Name() string
	Peers() []string
	// Op is the operation as a peer does it.
	Op(peer string) bench.Op
	// Differences are the results of a peer that are not Lowbit's.
	Differences(peer string) []difference
}

// function turns a slice of S into one of D.
type function[S, D any] struct {
	name   string
	lowbit func(dst []D, src []S)
	peers  []peer[S, D]
	source func(x []float32) []S // from the elements of package bench
	length func(n int) int       // of what becomes of n elements
	bits   func(D) uint32        // to compare and to print results by; one for all NaN
	inputs []inputs[S]           // on which to compare
}

type peer[S, D any] struct {
	name string
	do   func(dst []D, src []S)
}

type inputs[S any] struct {
	name  string
	slice func() []S
}

// difference counts results that are not the same.
type difference struct {
	Inputs       string
	Count, Of    int
	Input        any    // the first for which they differ
	Peer, Lowbit uint32 // what becomes of it
}

func (f *function[S, D]) Name() string { return f.name }

func (f *function[S, D]) Peers() (names []string) {
	for _, p := range f.peers {
		names = append(names, p.name)
	}
	return names
}

func (f *function[S, D]) peer(name string) func(dst []D, src []S) {
	for _, p := range f.peers {
		if p.name == name {
			return p.do
		}
	}
	panic("peers: " + name + " does no " + f.name)
}

func (f *function[S, D]) Op(peer string) bench.Op {
	do := f.peer(peer)
	return bench.NewOp(f.name, func(m *bench.Memory, n int) (run func(), read, written int) {
		src, dst := bench.Alloc[S](m, n), bench.Alloc[D](m, f.length(n))
		copy(src, f.source(bench.Elements(m, n)))
		written = f.length(n) * int(unsafe.Sizeof(*new(D)))
		if f.length(n) != n {
			written = 0 // a few numbers, which package bench does not count
		}
		return func() { do(dst, src) }, n * int(unsafe.Sizeof(*new(S))), written
	})
}

func (f *function[S, D]) Differences(peer string) (all []difference) {
	do := f.peer(peer)
	for _, in := range f.inputs {
		src := in.slice()
		n := f.length(len(src))
		got, want := make([]D, n), make([]D, n)
		do(got, src)
		f.lowbit(want, src)
		d := difference{Inputs: in.name, Of: n}
		for i := range want {
			if g, w := f.bits(got[i]), f.bits(want[i]); g != w {
				if d.Count == 0 {
					d.Input, d.Peer, d.Lowbit = src[i], g, w
				}
				d.Count++
			}
		}
		all = append(all, d)
	}
	return all
}

// operations lists them all, in the order of the plot.
func operations() []operation {
	one := func(n int) kernels.Grid { return kernels.Grid{Rows: 1, Groups: 1, Len: n} }
	int8s := &kernels.IntParams{Min: -128, Max: 127, Scale: []float32{scale}}
	floats := []inputs[float32]{{"within the range", ordinary}, {"any bits", anyBits}}
	halves := []inputs[uint16]{{"all", every16}}
	return []operation{
		&function[float32, float32]{
			name:   "fakequantize/int8/nomask",
			lowbit: func(y, x []float32) { kernels.FakeQuantizeInt(y, kernels.NoMask, x, one(len(x)), int8s) },
			peers:  []peer[float32, float32]{{simd, simdFakeQuantize}, {loop, loopFakeQuantize}},
			source: same[float32], length: all, bits: floatBits, inputs: floats,
		},
		&function[float32, int8]{
			name:   "quantize/int8",
			lowbit: func(q []int8, x []float32) { kernels.QuantizeInt(q, x, one(len(x)), int8s) },
			peers:  []peer[float32, int8]{{simd, func(q []int8, x []float32) { i8.Quantize(q, x, scale, 0) }}, {loop, loopQuantize}},
			source: same[float32], length: all, bits: codeBits, inputs: floats,
		},
		&function[int8, float32]{
			name:   "dequantize/int8",
			lowbit: func(y []float32, q []int8) { kernels.DequantizeInt(y, q, one(len(q)), int8s) },
			peers:  []peer[int8, float32]{{simd, func(y []float32, q []int8) { i8.Dequantize(y, q, scale, 0) }}, {loop, loopDequantize}},
			source: codes, length: all, bits: floatBits, inputs: []inputs[int8]{{"all", every8}},
		},
		&function[float32, float32]{
			name:   "minmax",
			lowbit: func(ends, x []float32) { kernels.MinMax(ends[:1], ends[1:], x, one(len(x))) },
			peers: []peer[float32, float32]{
				{simd, func(ends, x []float32) { ends[0], ends[1] = f32.Min(x), f32.Max(x) }},
				{loop, loopMinMax},
			},
			source: same[float32], length: func(int) int { return 2 }, bits: floatBits, inputs: floats,
		},
		&function[float32, uint16]{
			name:   "encode/f16",
			lowbit: func(h []uint16, x []float32) { kernels.EncodeFloat16(as[float16.Float16](h), x) },
			peers: []peer[float32, uint16]{{simd, f16.FromFloat32Slice}, {x448, func(h []uint16, x []float32) {
				for i, v := range x {
					h[i] = float16.Fromfloat32(v).Bits()
				}
			}}},
			source: same[float32], length: all, bits: halfBits, inputs: floats,
		},
		&function[uint16, float32]{
			name:   "decode/f16",
			lowbit: func(x []float32, h []uint16) { kernels.DecodeFloat16(x, as[float16.Float16](h)) },
			peers: []peer[uint16, float32]{{simd, f16.ToFloat32Slice}, {x448, func(x []float32, h []uint16) {
				for i, v := range h {
					x[i] = float16.Frombits(v).Float32()
				}
			}}},
			source: func(x []float32) []uint16 {
				h := make([]uint16, len(x))
				kernels.EncodeFloat16(as[float16.Float16](h), x)
				return h
			}, length: all, bits: floatBits, inputs: halves,
		},
		&function[float32, uint16]{
			name:   "encode/bf16",
			lowbit: func(h []uint16, x []float32) { kernels.EncodeBFloat16(as[bf16.BFloat16](h), x) },
			peers: []peer[float32, uint16]{{d4l3k, func(h []uint16, x []float32) {
				for i, v := range x {
					h[i] = uint16(bfloat16.FromFloat32(v))
				}
			}}},
			source: same[float32], length: all, bits: bhalfBits, inputs: floats,
		},
		&function[uint16, float32]{
			name:   "decode/bf16",
			lowbit: func(x []float32, h []uint16) { kernels.DecodeBFloat16(x, as[bf16.BFloat16](h)) },
			peers: []peer[uint16, float32]{{d4l3k, func(x []float32, h []uint16) {
				for i, v := range h {
					x[i] = bfloat16.ToFloat32(bfloat16.BF16(v))
				}
			}}},
			source: func(x []float32) []uint16 {
				h := make([]uint16, len(x))
				kernels.EncodeBFloat16(as[bf16.BFloat16](h), x)
				return h
			}, length: all, bits: floatBits, inputs: halves,
		},
	}
}

// simdFakeQuantize is two calls over pieces that stay in the cache, as there is none for it.
func simdFakeQuantize(y, x []float32) {
	var q [4096]int8
	for len(x) > 0 {
		n := min(len(q), len(x))
		i8.Quantize(q[:n], x[:n], scale, 0)
		i8.Dequantize(y[:n], q[:n], scale, 0)
		x, y = x[n:], y[n:]
	}
}

func loopFakeQuantize(y, x []float32) {
	for i, v := range x {
		y[i] = float32(min(max(math.RoundToEven(float64(v/scale)), -128), 127)) * scale
	}
}

func loopQuantize(q []int8, x []float32) {
	for i, v := range x {
		q[i] = int8(min(max(math.RoundToEven(float64(v/scale)), -128), 127))
	}
}

func loopDequantize(y []float32, q []int8) {
	for i, v := range q {
		y[i] = float32(v) * scale
	}
}

func loopMinMax(ends, x []float32) {
	low, high := x[0], x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	ends[0], ends[1] = low, high
}

func all(n int) int { return n }

func same[T any](x []T) []T { return x }

// as is the same memory with elements of another type of two bytes.
func as[T ~uint16](s []uint16) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

func codes(x []float32) []int8 {
	q := make([]int8, len(x))
	loopQuantize(q, x)
	return q
}

func floatBits(v float32) uint32 {
	if v != v {
		v = float32(math.NaN())
	}
	return math.Float32bits(v)
}

func codeBits(q int8) uint32 { return uint32(uint8(q)) }

func halfBits(h uint16) uint32 {
	if h&0x7fff > 0x7c00 {
		h = 0x7e00
	}
	return uint32(h)
}

func bhalfBits(h uint16) uint32 {
	if h&0x7fff > 0x7f80 {
		h = 0x7fc0
	}
	return uint32(h)
}

// ordinary are elements that are not clipped.
func ordinary() []float32 {
	r, x := rand.New(rand.NewPCG(1, 2)), make([]float32, 1<<20)
	for i := range x {
		x[i] = 5*r.Float32() - 2.5
	}
	return x
}

// anyBits are float32 of every size: subnormals, infinities and NaN are among them.
func anyBits() []float32 {
	r, x := rand.New(rand.NewPCG(3, 4)), make([]float32, 1<<20)
	for i := range x {
		x[i] = math.Float32frombits(r.Uint32())
	}
	return append(x, 0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()))
}

func every8() (q []int8) {
	for v := -128; v < 128; v++ {
		q = append(q, int8(v))
	}
	return q
}

func every16() (h []uint16) {
	for v := range 1 << 16 {
		h = append(h, uint16(v))
	}
	return h
}
