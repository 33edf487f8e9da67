package record_test

import (
	"fmt"

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
