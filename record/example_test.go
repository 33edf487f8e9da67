package record_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/record"
)

// A table of vectors, one record each, and one of them back.
func Example() {
	codec := record.Codec[float32]{Dim: 4, Code: record.Uint8}
	vectors := []float32{
		0.1, -0.2, 0.3, 0.05,
		2, 1, 0, -1,
	}
	table := make([]byte, codec.Bytes(2))
	if err := codec.Quantize(table, vectors); err != nil {
		fmt.Println(err)
		return
	}
	row := make([]float32, 4)
	if err := codec.Dequantize(row, table[1*codec.Bytes(1):]); err != nil {
		fmt.Println(err)
		return
	}
	scale, offset := record.Params(table[codec.Bytes(1):])
	fmt.Printf("%d bytes, scale %.5f, offset %g: %.2f\n", len(table), scale, offset, row)
	// Output: 24 bytes, scale 0.01176, offset -1: [2.00 1.00 0.00 -1.00]
}

// The vector of a table that has the greatest product with another, found by the codes.
func Example_search() {
	codec := record.Codec[float32]{Dim: 4}
	vectors := []float32{
		0.1, -0.2, 0.3, 0.05,
		2, 1, 0, -1,
		-1, 0.5, 2, 0,
	}
	table, query := make([]byte, codec.Bytes(3)), make([]byte, codec.Bytes(1))
	if err := codec.Quantize(table, vectors); err != nil {
		fmt.Println(err)
		return
	}
	if err := codec.Quantize(query, []float32{-1, 0, 1, 0}); err != nil {
		fmt.Println(err)
		return
	}
	codes := func(r []byte) []int8 {
		q, err := kernels.View[int8](r[record.HeaderBytes:][:codec.Dim])
		if err != nil { // never: any bytes are codes
			panic(err)
		}
		return q
	}
	t, _ := record.Params(query)
	for i := range 3 {
		r := table[i*codec.Bytes(1):]
		s, _ := record.Params(r)
		sum := int32(0)
		for j, q := range codes(r) {
			sum += int32(q) * int32(codes(query)[j])
		}
		fmt.Printf("%d: %.2f\n", i, s*t*float32(sum))
	}
	// Output:
	// 0: 0.20
	// 1: -2.00
	// 2: 3.01
}
