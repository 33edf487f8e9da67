package fp8_test

import (
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/fp8"
)

func Example() {
	for _, x := range []float32{1, 0.1, 3.3, -300, 1000} {
		a, b := fp8.E4M3FNFromFloat32Sat(x), fp8.E5M2FromFloat32Sat(x)
		fmt.Printf("%v: E4M3FN %#02x = %v, E5M2 %#02x = %v\n", x, a.Bits(), a, b.Bits(), b)
	}
	// Output:
	// 1: E4M3FN 0x38 = 1, E5M2 0x3c = 1
	// 0.1: E4M3FN 0x1d = 0.1015625, E5M2 0x2e = 0.09375
	// 3.3: E4M3FN 0x45 = 3.25, E5M2 0x43 = 3.5
	// -300: E4M3FN 0xf9 = -288, E5M2 0xdd = -320
	// 1000: E4M3FN 0x7e = 448, E5M2 0x64 = 1024
}

// The two conversions differ for what is out of range.
func ExampleE4M3FNFromFloat32() {
	for _, x := range []float32{448, 464, 465, -1e6} {
		fmt.Println(x, fp8.E4M3FNFromFloat32(x), fp8.E4M3FNFromFloat32Sat(x))
	}
	// Output:
	// 448 448 448
	// 464 448 448
	// 465 NaN 448
	// -1e+06 NaN -448
}

func ExampleE5M2FromFloat32() {
	fmt.Println(fp8.E5M2FromFloat32(-1e6), fp8.E5M2FromFloat32Sat(-1e6))
	// Output: -Inf -57344
}

// A block of an MX tensor: one power of two for all, chosen by the largest.
func ExampleE8M0Scale() {
	block := []float32{0.011, -0.037, 0.0005, 0.02}
	var largest float32
	for _, x := range block {
		largest = max(largest, x, -x)
	}
	scale := fp8.E8M0Scale(largest, fp8.E4M3FNMaxExp)
	fmt.Printf("scale 2^%d\n", scale.Exponent())
	for _, x := range block {
		c := fp8.E4M3FNFromFloat32Sat(x / scale.Float32())
		fmt.Println(x, c, c.Float32()*scale.Float32())
	}
	// Output:
	// scale 2^-13
	// 0.011 88 0.0107421875
	// -0.037 -288 -0.03515625
	// 0.0005 4 0.00048828125
	// 0.02 160 0.01953125
}

func ExampleE4M3FN_Compare() {
	codes := []fp8.E4M3FN{0x7F, 0x38, 0xB8, 0x00, 0xC0}
	slices.SortFunc(codes, fp8.E4M3FN.Compare)
	fmt.Println(codes)
	// Output: [NaN -2 -1 0 1]
}
