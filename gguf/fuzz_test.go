package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// Whatever the bytes are, a file is refused or can be read to its end.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"tiny_a32.gguf", "tiny_a64.gguf"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(start(3, 1, 0).info("t", 99, 0, 8).data(40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.gguf")
		if err != nil {
			return
		}
		for _, info := range file.Tensors() {
			if _, err := file.ReadAll(info.Name); err != nil {
				t.Fatal(err)
			}
			if !info.Type.Supported() || info.Elements() == 0 {
				continue
			}
			if err := file.Row(make([]float32, info.Row()), info.Name, info.Rows()-1); err != nil {
				t.Fatal(err)
			}
		}
		h := file.header
		again := &header{metadata: h.metadata, tensors: h.tensors, alignment: h.alignment}
		if _, err := again.front(); err != nil {
			t.Fatal(err)
		}
	})
}

// Any bytes decode without a panic, and what they decode to can be quantized.
func FuzzBlocks(f *testing.F) {
	for _, typ := range Types() {
		f.Add(uint8(typ), bytes.Repeat([]byte{0x37, 0xff, 0x80}, 100))
	}
	f.Fuzz(func(t *testing.T, number uint8, data []byte) {
		typ := Type(number)
		if !typ.Supported() {
			return
		}
		blocks := min(len(data)/typ.BlockBytes(), 64)
		x := make([]float32, blocks*typ.BlockLen())
		data = data[:typ.Bytes(len(x))]
		Dequantize(x, data, Blocks{Type: typ})
		Quantize(make([]byte, len(data)), x, Blocks{Type: typ})
	})
}

// Any elements are quantized without a panic, with weights and without, and decode again.
func FuzzElements(f *testing.F) {
	f.Add(uint8(Q4_K), bytes.Repeat([]byte{1, 0x80, 0x80, 0x3f}, 256))
	f.Add(uint8(Q6_K), bytes.Repeat([]byte{0, 0, 0x80, 0x7f, 0, 0, 0xc0, 0xff}, 128))
	f.Fuzz(func(t *testing.T, number uint8, data []byte) {
		typ := Type(number)
		if !typ.Supported() {
			return
		}
		n := min(len(data)/4, 1024)
		n -= n % typ.BlockLen()
		x := make([]float32, n)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		b := Blocks{Type: typ, Importance: x}
		got := make([]byte, typ.Bytes(n))
		Quantize(got, x, b)
		b.Importance = nil
		Quantize(got, x, b)
		Dequantize(x, got, b)
	})
}
