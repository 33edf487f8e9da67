package fp4_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

func ExampleE2M1FromFloat32() {
	for _, x := range []float32{0.2, 0.3, 1.25, 2.5, 5, -100} {
		fmt.Print(fp4.E2M1FromFloat32(x), " ")
	}
	// Output: 0 0.5 1 2 4 -6
}

func ExamplePair() {
	p := fp4.PairFromFloat32(1.5, -6)
	fmt.Printf("%#02x %v %v\n", p.Bits(), p.Low(), p.High())
	// Output: 0xf3 1.5 -6
}

// A block of MXFP4 (shortened): a power of two and two numbers to a byte.
func Example() {
	block := []float32{0.011, -0.037, 0.0005, 0.02}
	var largest float32
	for _, x := range block {
		largest = max(largest, x, -x)
	}
	scale := fp8.E8M0Scale(largest, fp4.E2M1MaxExp).Float32()
	for i := 0; i < len(block); i += 2 {
		p := fp4.PairFromFloat32(block[i]/scale, block[i+1]/scale)
		low, high := p.Float32()
		fmt.Println(p, low*scale, high*scale)
	}
	// Output:
	// [1.5 -4] 0.01171875 -0.03125
	// [0 3] 0 0.0234375
}
