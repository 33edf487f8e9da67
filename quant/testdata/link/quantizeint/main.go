// Command quantizeint calls one kernel, for float32.
package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/kernels"
)

func main() {
	codes := make([]int8, 3)
	kernels.QuantizeInt(codes, []float32{-1, 0, 1}, kernels.Grid{Rows: 1, Groups: 1, Len: 3},
		&kernels.IntParams{Min: -128, Max: 127, Scale: []float32{.01}})
	fmt.Println(codes)
}
