package bf16_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/bf16"
)

func Example() {
	x := bf16.FromFloat32(3.14159)
	fmt.Printf("%v %#04x\n", x, x.Bits())

	// No arithmetic of its own: compute in float32, round the result.
	y := bf16.FromFloat32(x.Float32() * x.Float32())
	fmt.Println(y)
	// Output:
	// 3.140625 0x4049
	// 9.875
}

func ExampleFromFloat64() {
	x := 1 + 0x1p-8 + 0x1p-40 // just above the middle of 1 and the next value
	fmt.Println(bf16.FromFloat64(x), bf16.FromFloat32(float32(x)))
	// Output: 1.0078125 1
}
