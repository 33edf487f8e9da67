package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// What the assembly is told of the formats that are converted.
var (
	encodeE4M3FN, encodeE4M3FNSat     = encoders(codeformat.E4M3FN)
	encodeE5M2, encodeE5M2Sat         = encoders(codeformat.E5M2)
	encodeE4M3FNUZ, encodeE4M3FNUZSat = encoders(codeformat.E4M3FNUZ)
	encodeE5M2FNUZ, encodeE5M2FNUZSat = encoders(codeformat.E5M2FNUZ)
)

// encoders overflow and saturate.
func encoders(id codeformat.ID) (overflow, saturate float8) {
	f := codeformat.Rows[id].Float
	return newFloat8(f, f.Top+1), newFloat8(f, f.Top)
}

// encodeAsm converts by assembly.
func encodeAsm[D small](impl isa, dst []D, src []float32, f *float8) {
	var s spans
	s.flat(len(src), streamingTo(impl, len(src), 32, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask))
	for s.advance() {
		encodePiece[D](impl, unsafe.Pointer(&dst[s.off]), &src[s.off], f, s.length, s.ahead)
	}
}

func encodePiece[D small](impl isa, y unsafe.Pointer, x *float32, f *float8, n, ahead int) {
	if unsafe.Sizeof(*new(D)) == 2 { // a constant: what bytes are encoded with is not linked for these, nor the other way round
		asm.Encode(impl, elemOfTwo[D](), (*uint16)(y), x, n, ahead)
		return
	}
	switch any(*new(D)).(type) {
	case fp4.E2M1:
		asm.EncodeFp(impl, asm.E2M1, (*byte)(y), x, 0, 0, 0, 0, 0, n, ahead)
	default:
		code := asm.Float8
		if f.nan == -0x7f7f7f80 { // it is in the place of -0
			code = asm.Float8FNUZ
		}
		asm.EncodeFp(impl, code, (*byte)(y), x, f.least, f.ruler, f.weights, f.top, f.nan, n, ahead)
	}
}

func encodeE8M0Asm(impl isa, dst []fp8.E8M0, src []float32, most float32) {
	var s spans
	s.flat(len(src), streamingTo(impl, len(src), 32, unsafe.Pointer(&dst[0]), 8, NoMask))
	for s.advance() {
		asm.EncodeE8M0(impl, (*byte)(unsafe.Pointer(&dst[s.off])), &src[s.off], most, s.length, s.ahead)
	}
}

// decodeAsm converts by assembly.
func decodeAsm[S small](impl isa, dst []float32, src []S) {
	var s spans
	s.flat(len(src), streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), 32, NoMask))
	for s.advance() {
		decodePiece[S](impl, &dst[s.off], unsafe.Pointer(&src[s.off]), s.length, s.ahead)
	}
}

func decodePiece[S small](impl isa, y *float32, x unsafe.Pointer, n, ahead int) {
	if unsafe.Sizeof(*new(S)) == 2 {
		asm.Decode(impl, elemOfTwo[S](), y, (*uint16)(x), n, ahead)
		return
	}
	asm.DecodeFp(impl, smallCode[S](), y, x, n, ahead)
}

// elemOfTwo is what the assembly calls a type of two bytes.
func elemOfTwo[E small]() asm.Elem {
	if _, ok := any(*new(E)).(float16.Float16); ok {
		return asm.F16
	}
	return asm.BF16
}

// smallCode is what the assembly calls a type of one byte.
func smallCode[S small]() asm.Code {
	switch any(*new(S)).(type) {
	case fp8.E4M3FN:
		return asm.E4M3
	case fp8.E5M2:
		return asm.E5M2
	case fp8.E4M3FNUZ:
		return asm.E4M3FNUZ
	case fp8.E5M2FNUZ:
		return asm.E5M2FNUZ
	case fp8.E8M0:
		return asm.E8M0
	}
	return asm.E2M1
}
