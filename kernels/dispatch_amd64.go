//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// absent is why an implementation without features here is not available.
const absent = "it is for another architecture"

// features has every subset of the instruction set that assembly uses: AVX512F
// does not imply the others, and AVX2 does not imply FMA, F16C or BMI2. That
// the system saves the registers is in AVX, AVX2 and AVX512F.
var features = []feature{
	{"AVX", &cpu.X86.HasAVX, both},
	{"AVX2", &cpu.X86.HasAVX2, both},
	{"FMA", &cpu.X86.HasFMA, both},
	{"F16C", &cpu.X86.HasF16C, both},
	{"BMI2", &cpu.X86.HasBMI2, both},
	{"AVX512F", &cpu.X86.HasAVX512F, wide},
	{"AVX512BW", &cpu.X86.HasAVX512BW, wide},
	{"AVX512DQ", &cpu.X86.HasAVX512DQ, wide},
	{"AVX512VL", &cpu.X86.HasAVX512VL, wide},
	{"AVX512VBMI", &cpu.X86.HasAVX512VBMI, vbmi},
}

var (
	both = map[isa]bool{avx2: true, avx512: true, avx512vbmi: true}
	wide = map[isa]bool{avx512: true, avx512vbmi: true}
	vbmi = map[isa]bool{avx512vbmi: true}
)
