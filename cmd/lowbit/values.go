package main

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/safetensors"
)

// decoders turn the first element of some bytes into a number, for the types of whole bytes but F32.
// An integer beyond 2^53 is rounded.
var decoders = func() map[safetensors.DType]func([]byte) float64 {
	le := binary.LittleEndian
	all := map[safetensors.DType]func([]byte) float64{
		safetensors.BOOL:    func(b []byte) float64 { return float64(b[0]) },
		safetensors.U8:      func(b []byte) float64 { return float64(b[0]) },
		safetensors.I8:      func(b []byte) float64 { return float64(int8(b[0])) },
		safetensors.F8_E8M0: func(b []byte) float64 { return float64(fp8.E8M0(b[0]).Float32()) },
		safetensors.I16:     func(b []byte) float64 { return float64(int16(le.Uint16(b))) },
		safetensors.U16:     func(b []byte) float64 { return float64(le.Uint16(b)) },
		safetensors.F16:     func(b []byte) float64 { return float64(float16.Frombits(le.Uint16(b)).Float32()) },
		safetensors.BF16:    func(b []byte) float64 { return float64(bf16.BFloat16(le.Uint16(b)).Float32()) },
		safetensors.I32:     func(b []byte) float64 { return float64(int32(le.Uint32(b))) },
		safetensors.U32:     func(b []byte) float64 { return float64(le.Uint32(b)) },
		safetensors.I64:     func(b []byte) float64 { return float64(int64(le.Uint64(b))) },
		safetensors.U64:     func(b []byte) float64 { return float64(le.Uint64(b)) },
		safetensors.F64:     func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) },
	}
	for _, row := range codeformat.Rows {
		if t, err := safetensors.ParseDType(row.File); err == nil && row.Float != nil && row.Bits == 8 {
			all[t] = func(b []byte) float64 { return float64(row.Value(b[0])) }
		}
	}
	return all
}()

// numeric tells whether values can read a type.
func numeric(t safetensors.DType) bool {
	return t == safetensors.F4 || t == safetensors.F32 || decoders[t] != nil
}

// values decodes elements of whole bytes.
func values(dst []float64, t safetensors.DType, data []byte) {
	switch t {
	case safetensors.F4:
		for i, b := range data {
			pair := fp4.Pair(b)
			dst[2*i], dst[2*i+1] = float64(pair.Low().Float32()), float64(pair.High().Float32())
		}
		return
	case safetensors.F32: // what most tensors are
		for i := range len(data) / 4 {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
		}
		return
	case safetensors.BF16:
		for i := range len(data) / 2 {
			dst[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16))
		}
		return
	}
	decode, size := decoders[t], t.Bits()/8
	for i := range len(data) / size {
		dst[i] = decode(data[i*size:])
	}
}
