package bench

import (
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// conversionOps are the conversions between float32 and every other type.
func conversionOps() []Op {
	same := func(n int) int { return n }
	var ops []Op
	ops = append(ops, conversion("f16", same, kernels.EncodeFloat16, kernels.DecodeFloat16)...)
	ops = append(ops, conversion("bf16", same, kernels.EncodeBFloat16, kernels.DecodeBFloat16)...)
	ops = append(ops, conversion("e4m3", same, kernels.EncodeE4M3FN, kernels.DecodeE4M3FN)...)
	ops = append(ops, conversion("e5m2", same, kernels.EncodeE5M2, kernels.DecodeE5M2)...)
	ops = append(ops, conversion("e4m3fnuz", same, kernels.EncodeE4M3FNUZ, kernels.DecodeE4M3FNUZ)...)
	ops = append(ops, conversion("e5m2fnuz", same, kernels.EncodeE5M2FNUZ, kernels.DecodeE5M2FNUZ)...)
	ops = append(ops, conversion("e8m0", same, kernels.EncodeE8M0, kernels.DecodeE8M0)...)
	ops = append(ops, conversion("e2m1", same, kernels.EncodeE2M1, kernels.DecodeE2M1)...)
	return append(ops, conversion("e2m1packed", kernels.E2M1Packed.Bytes, kernels.EncodeE2M1Pairs, kernels.DecodeE2M1Pairs)...)
}

// packOps pack codes that exist, and unpack them. Signed and unsigned ones are packed alike.
func packOps() (ops []Op) {
	for _, f := range []struct {
		name    string
		packing kernels.Packing
		pack    func(dst []byte, src []int8)
		unpack  func(dst []int8, src []byte)
	}{
		{"int4", kernels.Int4, kernels.Pack4[int8], kernels.Unpack4[int8]},
		{"int2", kernels.Int2, kernels.Pack2[int8], kernels.Unpack2[int8]},
	} {
		ops = append(ops, Op{"pack/" + f.name, oneGroup, func(a *arena, n int) work {
			packed, codes := alloc[byte](a, f.packing.Bytes(n)), alloc[int8](a, n)
			return work{func() { f.pack(packed, codes) }, n, len(packed)}
		}}, Op{"unpack/" + f.name, oneGroup, func(a *arena, n int) work {
			packed, codes := alloc[byte](a, f.packing.Bytes(n)), alloc[int8](a, n)
			return work{func() { f.unpack(codes, packed) }, len(packed), n}
		}})
	}
	return ops
}

type small interface {
	float16.Float16 | bf16.BFloat16 | fp8.E4M3FN | fp8.E5M2 | fp8.E4M3FNUZ | fp8.E5M2FNUZ | fp8.E8M0 | fp4.E2M1 | fp4.Pair
}

func conversion[S small](name string, length func(n int) int, encode func(dst []S, src []float32), decode func(dst []float32, src []S)) []Op {
	return []Op{
		{"encode/" + name, oneGroup, func(a *arena, n int) work {
			src, dst := elements[float32](a, n), alloc[S](a, length(n))
			return work{func() { encode(dst, src) }, size(src), size(dst)}
		}},
		{"decode/" + name, oneGroup, func(a *arena, n int) work {
			src, dst, x := alloc[S](a, length(n)), alloc[float32](a, n), elements[float32](a, n)
			encode(src, x)
			return work{func() { decode(dst, src) }, size(src), size(dst)}
		}},
	}
}

// dynamicOps observe and quantize in blocks of 32.
func dynamicOps() (ops []Op) {
	for _, f := range []struct {
		name   string
		dtype  quant.DType
		scale  quant.ScaleDType
		packed bool
	}{
		{"int8", quant.Int8, quant.ScaleAny, false},
		{"int4packed", quant.Int4, quant.ScaleAny, true},
		{"mxfp8", quant.Float8E4M3FN, quant.ScaleE8M0, false},
		{"mxfp4", quant.Float4E2M1FN, quant.ScaleE8M0, true},
	} {
		g := blocks(32)
		ops = append(ops, Op{"dynamic/" + f.name + g.suffix, g, func(a *arena, n int) work {
			q, err := quant.New[float32](quant.Spec{DType: f.dtype, Granularity: g.granularity, Calculator: "dynamic", ScaleDType: f.scale}, quant.Activation)
			must(err)
			bytes := n
			if f.packed {
				bytes = n / 2
			}
			codes := &quant.Codes{Packed: f.packed, Data: alloc[byte](a, bytes)}
			x := quant.Tensor[float32]{Data: elements[float32](a, n), Shape: g.shape(n)}
			return work{func() { must(q.Quantize(codes, x)) }, size(x.Data), bytes + 4*n/32}
		}})
	}
	return ops
}
