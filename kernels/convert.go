package kernels

import (
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// EncodeFloat16 converts as float16.Fromfloat32: from 65520 on to infinity.
func EncodeFloat16(dst []float16.Float16, src []float32) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		asm.Encode(impl, asm.F16, (*uint16)(unsafe.SliceData(dst)), unsafe.SliceData(src), len(src), 0)
		return
	}
	if encodeLong("EncodeFloat16", dst, src, nil) {
		encodeFloat16s(dst, src)
	}
}

// DecodeFloat16 converts as float16.Float16.Float32.
func DecodeFloat16(dst []float32, src []float16.Float16) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		asm.Decode(impl, asm.F16, unsafe.SliceData(dst), (*uint16)(unsafe.SliceData(src)), len(src), 0)
		return
	}
	if decodeLong("DecodeFloat16", dst, src) {
		decodeFloat16s(dst, src)
	}
}

// EncodeBFloat16 converts as bf16.FromFloat32.
func EncodeBFloat16(dst []bf16.BFloat16, src []float32) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		asm.Encode(impl, asm.BF16, (*uint16)(unsafe.SliceData(dst)), unsafe.SliceData(src), len(src), 0)
		return
	}
	if encodeLong("EncodeBFloat16", dst, src, nil) {
		portableConvert(dst, src, bf16.FromFloat32)
	}
}

// DecodeBFloat16 converts as bf16.BFloat16.Float32.
func DecodeBFloat16(dst []float32, src []bf16.BFloat16) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		asm.Decode(impl, asm.BF16, unsafe.SliceData(dst), (*uint16)(unsafe.SliceData(src)), len(src), 0)
		return
	}
	if decodeLong("DecodeBFloat16", dst, src) {
		portableConvert(dst, src, bf16.BFloat16.Float32)
	}
}

// EncodeE4M3FN converts as fp8.E4M3FNFromFloat32: out of range to NaN.
func EncodeE4M3FN(dst []fp8.E4M3FN, src []float32) {
	if encode("EncodeE4M3FN", dst, src, &encodeE4M3FN) {
		portableConvert(dst, src, fp8.E4M3FNFromFloat32)
	}
}

// EncodeE4M3FNSat converts as fp8.E4M3FNFromFloat32Sat: out of range to +-448.
func EncodeE4M3FNSat(dst []fp8.E4M3FN, src []float32) {
	if encode("EncodeE4M3FNSat", dst, src, &encodeE4M3FNSat) {
		portableConvert(dst, src, fp8.E4M3FNFromFloat32Sat)
	}
}

// DecodeE4M3FN converts as fp8.E4M3FN.Float32.
func DecodeE4M3FN(dst []float32, src []fp8.E4M3FN) {
	if decode("DecodeE4M3FN", dst, src) {
		portableConvert(dst, src, fp8.E4M3FN.Float32)
	}
}

// EncodeE5M2 converts as fp8.E5M2FromFloat32: out of range to infinity.
func EncodeE5M2(dst []fp8.E5M2, src []float32) {
	if encode("EncodeE5M2", dst, src, &encodeE5M2) {
		portableConvert(dst, src, fp8.E5M2FromFloat32)
	}
}

// EncodeE5M2Sat converts as fp8.E5M2FromFloat32Sat: out of range to +-57344.
func EncodeE5M2Sat(dst []fp8.E5M2, src []float32) {
	if encode("EncodeE5M2Sat", dst, src, &encodeE5M2Sat) {
		portableConvert(dst, src, fp8.E5M2FromFloat32Sat)
	}
}

// DecodeE5M2 converts as fp8.E5M2.Float32.
func DecodeE5M2(dst []float32, src []fp8.E5M2) {
	if decode("DecodeE5M2", dst, src) {
		portableConvert(dst, src, fp8.E5M2.Float32)
	}
}

// EncodeE4M3FNUZ converts as fp8.E4M3FNUZFromFloat32: out of range to NaN.
func EncodeE4M3FNUZ(dst []fp8.E4M3FNUZ, src []float32) {
	if encode("EncodeE4M3FNUZ", dst, src, &encodeE4M3FNUZ) {
		portableConvert(dst, src, fp8.E4M3FNUZFromFloat32)
	}
}

// EncodeE4M3FNUZSat converts as fp8.E4M3FNUZFromFloat32Sat: out of range to
// +-240.
func EncodeE4M3FNUZSat(dst []fp8.E4M3FNUZ, src []float32) {
	if encode("EncodeE4M3FNUZSat", dst, src, &encodeE4M3FNUZSat) {
		portableConvert(dst, src, fp8.E4M3FNUZFromFloat32Sat)
	}
}

// DecodeE4M3FNUZ converts as fp8.E4M3FNUZ.Float32.
func DecodeE4M3FNUZ(dst []float32, src []fp8.E4M3FNUZ) {
	if decode("DecodeE4M3FNUZ", dst, src) {
		portableConvert(dst, src, fp8.E4M3FNUZ.Float32)
	}
}

// EncodeE5M2FNUZ converts as fp8.E5M2FNUZFromFloat32: out of range to NaN.
func EncodeE5M2FNUZ(dst []fp8.E5M2FNUZ, src []float32) {
	if encode("EncodeE5M2FNUZ", dst, src, &encodeE5M2FNUZ) {
		portableConvert(dst, src, fp8.E5M2FNUZFromFloat32)
	}
}

// EncodeE5M2FNUZSat converts as fp8.E5M2FNUZFromFloat32Sat: out of range to
// +-57344.
func EncodeE5M2FNUZSat(dst []fp8.E5M2FNUZ, src []float32) {
	if encode("EncodeE5M2FNUZSat", dst, src, &encodeE5M2FNUZSat) {
		portableConvert(dst, src, fp8.E5M2FNUZFromFloat32Sat)
	}
}

// DecodeE5M2FNUZ converts as fp8.E5M2FNUZ.Float32.
func DecodeE5M2FNUZ(dst []float32, src []fp8.E5M2FNUZ) {
	if decode("DecodeE5M2FNUZ", dst, src) {
		portableConvert(dst, src, fp8.E5M2FNUZ.Float32)
	}
}

// EncodeE8M0 converts as fp8.E8M0FromFloat32: to the nearest power of two, out
// of range to NaN.
func EncodeE8M0(dst []fp8.E8M0, src []float32) {
	if encodeE8M0("EncodeE8M0", dst, src, float32(math.Inf(1))) {
		portableConvert(dst, src, fp8.E8M0FromFloat32)
	}
}

// EncodeE8M0Sat converts as fp8.E8M0FromFloat32Sat: what is too large to 2^127.
func EncodeE8M0Sat(dst []fp8.E8M0, src []float32) {
	if encodeE8M0("EncodeE8M0Sat", dst, src, fp8.E8M0Max) {
		portableConvert(dst, src, fp8.E8M0FromFloat32Sat)
	}
}

// DecodeE8M0 converts as fp8.E8M0.Float32.
func DecodeE8M0(dst []float32, src []fp8.E8M0) {
	if decode("DecodeE8M0", dst, src) {
		portableConvert(dst, src, fp8.E8M0.Float32)
	}
}

// EncodeE2M1 converts as fp4.E2M1FromFloat32, which saturates: a code to a byte.
func EncodeE2M1(dst []fp4.E2M1, src []float32) {
	if encode("EncodeE2M1", dst, src, nil) {
		portableConvert(dst, src, fp4.E2M1FromFloat32)
	}
}

// DecodeE2M1 converts as fp4.E2M1.Float32.
func DecodeE2M1(dst []float32, src []fp4.E2M1) {
	if decode("DecodeE2M1", dst, src) {
		portableConvert(dst, src, fp4.E2M1.Float32)
	}
}

// EncodeE2M1Pairs converts as EncodeE2M1 and packs: len(dst) is
// ceil(len(src)/2), and the pair of an odd last element has a zero above it.
func EncodeE2M1Pairs(dst []fp4.Pair, src []float32) {
	const kernel = "EncodeE2M1Pairs"
	checkLen(kernel, "dst", len(dst), E2M1Packed.Bytes(len(src)))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	encodePairs(current(), dst, src)
}

// DecodeE2M1Pairs is the inverse of EncodeE2M1Pairs: len(src) is
// ceil(len(dst)/2).
func DecodeE2M1Pairs(dst []float32, src []fp4.Pair) {
	const kernel = "DecodeE2M1Pairs"
	checkLen(kernel, "src", len(src), E2M1Packed.Bytes(len(dst)))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	decodePairs(current(), dst, src)
}

// small are the types, one number to an element, from and to which slices are converted.
type small interface {
	float16.Float16 | bf16.BFloat16 | fp8.E4M3FN | fp8.E5M2 | fp8.E4M3FNUZ | fp8.E5M2FNUZ | fp8.E8M0 | fp4.E2M1
}

// encode converts by assembly, which is told of the format if it is one of fp8, or
// reports that the portable code is to.
func encode[D small](kernel string, dst []D, src []float32, f *float8) (portable bool) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		encodePiece[D](impl, unsafe.Pointer(unsafe.SliceData(dst)), unsafe.SliceData(src), f, len(src), 0)
		return false
	}
	return encodeLong(kernel, dst, src, f)
}

// encodeLong is encode the long way.
func encodeLong[D small](kernel string, dst []D, src []float32, f *float8) (portable bool) {
	checkLen(kernel, "dst", len(dst), len(src))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	impl := current()
	if portable = impl == generic || len(src) == 0; !portable {
		encodeAsm(impl, dst, src, f)
	}
	return portable
}

// encodeE8M0 is encode for numbers of at most most.
func encodeE8M0(kernel string, dst []fp8.E8M0, src []float32, most float32) (portable bool) {
	checkLen(kernel, "dst", len(dst), len(src))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	impl := current()
	if portable = impl == generic || len(src) == 0; !portable {
		encodeE8M0Asm(impl, dst, src, most)
	}
	return portable
}

func decode[S small](kernel string, dst []float32, src []S) (portable bool) {
	if impl, ok := atOnce(len(src)); ok && len(dst) == len(src) && apart(dst, src) {
		decodePiece[S](impl, unsafe.SliceData(dst), unsafe.Pointer(unsafe.SliceData(src)), len(src), 0)
		return false
	}
	return decodeLong(kernel, dst, src)
}

// decodeLong is decode the long way.
func decodeLong[S small](kernel string, dst []float32, src []S) (portable bool) {
	checkLen(kernel, "dst", len(dst), len(src))
	checkApart(kernel, memory("dst", dst), memory("src", src))
	impl := current()
	if portable = impl == generic || len(src) == 0; !portable {
		decodeAsm(impl, dst, src)
	}
	return portable
}

func encodePairs(impl isa, dst []fp4.Pair, src []float32) {
	if impl == generic || len(src) == 0 {
		portableEncodePairs(dst, src)
	} else {
		var s spans
		s.flat(len(src), streamingTo(impl, len(src), 32, unsafe.Pointer(&dst[0]), 4, NoMask))
		for s.advance() {
			asm.EncodeFp(impl, asm.E2M1Packed, (*byte)(&dst[s.off/2]), &src[s.off], 0, 0, 0, 0, 0, s.length, s.ahead)
		}
	}
}

func decodePairs(impl isa, dst []float32, src []fp4.Pair) {
	if impl == generic || len(dst) == 0 {
		portableDecodePairs(dst, src)
	} else {
		var s spans
		s.flat(len(dst), streamingTo(impl, len(dst), 4, unsafe.Pointer(&dst[0]), 32, NoMask).every(2))
		for s.advance() {
			asm.DecodeFp(impl, asm.E2M1Packed, &dst[s.off], unsafe.Pointer(&src[s.off/2]), s.length, s.ahead)
		}
	}
}
