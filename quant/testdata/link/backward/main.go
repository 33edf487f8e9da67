// Command backward calls one kernel, for bfloat16.
package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

func main() {
	dx, dy := make([]bf16.BFloat16, 3), make([]bf16.BFloat16, 3)
	kernels.Backward(dx, dy, kernels.ByteMask([]byte{1, 0, 1}))
	fmt.Println(dx)
}
