package gguf

import (
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
	"github.com/lowbit-go/lowbit/kernels"
)

// unpacked is a piece of blocks taken apart. The value of an element is code*scale + least, with the parameters of its group; least is -0 in a
// type that has none, which leaves every product as it is, -0 too. The product is exact in float32, so it does not matter whether the sum is
// fused with it.
type unpacked struct {
	codes  [pieceLen]byte // of two's complement
	scales [pieceLen / 16]float32
	least  [pieceLen / 16]float32
}

var negativeZero = math.Float32frombits(1 << 31)

// dequantizeBlocks writes the values of blocks.
func dequantizeBlocks[T kernels.Float](dst []T, src []byte, t Type) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	impl, most := asm.Generic, pieceLen
	if t.Quantized() {
		impl = isa.Current()
	}
	if _, ok := any(*new(T)).(float32); impl != asm.Generic && (ok || halved(impl, t)) {
		most = mostAtOnce // no memory of s is needed
	}
	for len(dst) > 0 {
		n := min(len(dst), most)
		bytes := t.Bytes(n)
		switch {
		case !t.Quantized():
			wide := roomFor(s, dst[:n])
			s.widenBytes(wide, src[:bytes], t)
			narrow(dst[:n], wide)
		case impl == asm.Generic:
			dequantizePortable(&s.unpacked, dst[:n], src[:bytes], t)
		case dequantizeHalves(s, impl, dst[:n], src[:bytes], t):
		default:
			wide := roomFor(s, dst[:n])
			s.unpacked.dequantizeAssembled(impl, wide, src[:bytes], t)
			narrow(dst[:n], wide)
		}
		dst, src = dst[n:], src[bytes:]
	}
}

// dequantizePortable writes the values of at most pieceLen elements in blocks.
func dequantizePortable[T kernels.Float](u *unpacked, dst []T, src []byte, t Type) {
	for i := range u.least {
		u.least[i] = negativeZero
	}
	group := u.unpack(src, t)
	grid := kernels.Grid{Rows: 1, Groups: len(dst) / group, Len: group}
	// The minval is the value of code Min. Codes below it are no error.
	p := kernels.IntParams{Format: kernels.Int8, Min: 0, Max: 127, Scale: u.scales[:grid.Groups], Minval: u.least[:grid.Groups]}
	kernels.DequantizeInt(dst, u.codes[:len(dst)], grid, &p)
}

// roomFor returns where elements are computed as float32: dst itself, or memory of s.
func roomFor[T kernels.Float](s *scratch, dst []T) []float32 {
	if _, ok := any(*new(T)).(float32); ok {
		return as[float32](dst)
	}
	return s.wide[:len(dst)]
}

// widenBytes reads elements of F32, F16 or BF16 as float32.
func (s *scratch) widenBytes(wide []float32, src []byte, t Type) {
	switch t {
	case F32:
		getFloats(wide, src)
	case F16:
		half := s.float16[:len(wide)]
		getFloats(half, src)
		kernels.DecodeFloat16(wide, half)
	case BF16:
		half := s.bfloat16[:len(wide)]
		getFloats(half, src)
		kernels.DecodeBFloat16(wide, half)
	}
}

// narrow rounds elements to their type; roomFor made those of float32 in place.
func narrow[T kernels.Float](dst []T, x []float32) {
	switch any(*new(T)).(type) {
	case float16.Float16:
		kernels.EncodeFloat16(as[float16.Float16](dst), x)
	case bf16.BFloat16:
		kernels.EncodeBFloat16(as[bf16.BFloat16](dst), x)
	}
}
