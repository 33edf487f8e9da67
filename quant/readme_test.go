package quant_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/quant"
)

// What the README shows.
func Example() {
	spec := quant.Spec{DType: quant.Int4, Granularity: quant.PerBlock(1, 4)}
	q, err := quant.New[float32](spec, quant.Weight)
	if err != nil {
		panic(err)
	}
	w := quant.Tensor[float32]{Data: []float32{0.1, -0.7, 0.3, 0.2, 1, 2, -3, 4}, Shape: []int{2, 4}}
	codes := quant.Codes{Packed: true}
	if err := q.Quantize(&codes, w); err != nil {
		panic(err)
	}
	fmt.Printf("%x %.4f\n", codes.Data, codes.Params.Scale)
	// Output: 8123427a [0.0933 0.5333]
}
