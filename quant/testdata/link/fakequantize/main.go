// Command fakequantize makes a quantizer of float32 tensors and uses it.
package main

import (
	"fmt"

	"github.com/lowbit-go/lowbit/quant"
)

func main() {
	q, err := quant.New[float32](quant.Spec{}, quant.Weight)
	if err == nil {
		x := quant.Tensor[float32]{Data: []float32{-1, 0, 1}, Shape: []int{3}}
		err = q.FakeQuantize(&x, x, nil)
	}
	fmt.Println(err)
}
