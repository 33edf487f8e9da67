//go:build !mips && !mips64 && !ppc64 && !s390x

package kernels_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// A row of a file, viewed as bfloat16 numbers and quantized to bytes.
func ExampleView() {
	file := []byte{0x80, 0x3f, 0x00, 0xc0, 0x40, 0x40} // 1, -2, 3
	x, err := kernels.View[bf16.BFloat16](file)
	if err != nil {
		fmt.Println(err)
		return
	}
	q := make([]byte, len(x))
	row := kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}
	kernels.QuantizeInt(q, x, row, &kernels.IntParams{Format: kernels.Int8, Min: -128, Max: 127, Scale: []float32{0.5}})
	fmt.Println(x, q)

	_, err = kernels.View[bf16.BFloat16](file[:5])
	fmt.Println(err)
	// Output:
	// [1 -2 3] [2 252 6]
	// kernels: View: 5 bytes are not a whole number of bf16.BFloat16, which has 2
}
