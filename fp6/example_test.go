package fp6_test

import (
	"fmt"

	"github.com/lowbit-go/lowbit/fp6"
)

func Example() {
	for _, x := range []float32{0.2, 1.2, 3.3, -6.6, 100} {
		fmt.Println(x, fp6.E2M3FromFloat32(x), fp6.E3M2FromFloat32(x))
	}
	// Output:
	// 0.2 0.25 0.1875
	// 1.2 1.25 1.25
	// 3.3 3.25 3.5
	// -6.6 -6.5 -7
	// 100 7.5 28
}

func ExamplePack() {
	codes := []fp6.E2M3{0x08, 0x3F, 0x01, 0x20, 0x0C}
	packed := make([]byte, fp6.PackedLen(len(codes)))
	fp6.Pack(packed, codes)
	fmt.Printf("% x\n", packed)
	fp6.Unpack(codes, packed)
	fmt.Println(codes)
	// Output:
	// c8 1f 80 0c
	// [1 -7.5 0.125 -0 1.5]
}
