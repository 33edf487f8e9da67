package kernels_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/kernels"
)

// One scale for each row of a matrix of 2 by 4, codes of int4.
func ExampleFakeQuantizeInt() {
	x := []float32{
		0.1, 0.26, -0.9, 1.2,
		10, 20, -30, -95,
	}
	y, mask := make([]float32, len(x)), make([]byte, len(x))
	kernels.FakeQuantizeInt(y, kernels.ByteMask(mask), x, kernels.Grid{Rows: 1, Groups: 2, Len: 4}, &kernels.IntParams{
		Min: -8, Max: 7, Scale: []float32{0.125, 10},
	})
	fmt.Println(y[:4], y[4:])
	fmt.Println(mask[:4], mask[4:])
	// Output:
	// [0.125 0.25 -0.875 0.875] [10 20 -30 -80]
	// [1 1 1 0] [1 1 1 0]
}

// Blocks of four int4 codes, two to a byte.
func ExampleQuantizeInt_packed() {
	x := []float32{0.1, -0.7, 0.3, 0.2, 1, 2, -3, 4}
	blocks := kernels.Grid{Rows: 1, Groups: 2, Len: 4}
	p := &kernels.IntParams{Format: kernels.Int4, Min: -8, Max: 7, Scale: []float32{0.1, 0.5}}
	q, y := make([]byte, kernels.Int4.Bytes(len(x))), make([]float32, len(x))
	kernels.QuantizeInt(q, x, blocks, p)
	kernels.DequantizeInt(y, q, blocks, p)
	fmt.Printf("%x\n", q)
	fmt.Println(y)
	// Output:
	// 9123427a
	// [0.1 -0.7 0.3 0.2 1 2 -3 3.5]
}

// Codes of uint8 with a scale and a zero point for each column.
func ExampleQuantizeInt() {
	x := []float32{
		0, -1,
		2, 0.5,
		2.55, 1,
	}
	columns := kernels.Grid{Rows: 3, Groups: 2, Len: 1}
	p := &kernels.IntParams{Min: 0, Max: 255, Scale: []float32{0.01, 0.0078125}, ZeroPoint: []int32{0, 128}}
	q, y := make([]uint8, len(x)), make([]float32, len(x))
	kernels.QuantizeInt(q, x, columns, p)
	kernels.DequantizeInt(y, q, columns, p)
	fmt.Println(q)
	fmt.Println(y)
	// Output:
	// [0 0 200 192 255 255]
	// [0 -1 2 0.5 2.55 0.9921875]
}

// A block with one scale in four bits an element.
func ExampleQuantizeFloat() {
	x := []float32{0.3, -1.1, 2.4, 6.5, -0.1}
	q := make([]byte, kernels.E2M1Packed.Bytes(len(x)))
	block := kernels.Grid{Rows: 1, Groups: 1, Len: len(x)}
	p := &kernels.FloatParams{Format: kernels.E2M1Packed, Scale: []float32{1}}
	kernels.QuantizeFloat(q, x, block, p)
	y := make([]float32, len(x))
	kernels.DequantizeFloat(y, q, block, p)
	fmt.Printf("%x\n%v\n", q, y)
	// Output:
	// a17408
	// [0.5 -1 2 6 -0]
}

func ExampleBackward() {
	dy, dx := []float32{1, -2, 3}, make([]float32, 3)
	kernels.Backward(dx, dy, kernels.BitMask([]byte{0b101}))
	fmt.Println(dx)
	// Output: [1 -0 3]
}

func ExampleMinMax() {
	x := []float32{
		3, 1, -5, 2,
		0, 4, 9, -7,
	}
	least, most := make([]float32, 2), make([]float32, 2)
	kernels.MinMax(least, most, x, kernels.Grid{Rows: 2, Groups: 2, Len: 2})
	fmt.Println(least, most)
	// Output: [0 -7] [4 9]
}

// A server quantizes activations as they come: each token, a row, has a scale and a zero point of its own, and nothing is allocated for it.
func ExampleDynamicInt() {
	x := []float32{
		0.1, -0.4, 0.2, 1.0,
		3, 0, 12, 7,
	}
	rows := kernels.Grid{Rows: 1, Groups: 2, Len: 4}
	r := &kernels.IntRule{Min: 0, Max: 255, Asymmetric: true, Scale: make([]float32, 2), ZeroPoint: make([]int32, 2)}
	q := make([]uint8, len(x))
	kernels.DynamicInt(q, x, rows, r)
	fmt.Printf("%v %.4f %v\n", q, r.Scale, r.ZeroPoint)
	// Output: [91 0 109 255 64 0 255 149] [0.0055 0.0471] [73 0]
}

func ExamplePack() {
	codes := []int8{1, -1, 7}
	packed, back := make([]byte, 2), make([]int8, 3)
	kernels.Pack(packed, codes, kernels.Int4)
	kernels.Unpack(back, packed, kernels.Int4)
	fmt.Printf("%x %v\n", packed, back)
	// Output: f107 [1 -1 7]
}
