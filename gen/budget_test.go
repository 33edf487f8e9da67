package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":              {3020, 68},
	"blocks":                {6540, 198},
	"constants":             {1430, 69},
	"convert":               {7730, 181},
	"copy":                  {1170, 20},
	"dequantize":            {9540, 206},
	"dequantizeF16BF16":     {6920, 148},
	"dequantizefp":          {5340, 115},
	"dequantizefpF16BF16":   {6910, 152},
	"difference":            {130, 2},
	"dispatch":              {120, 4},
	"errors":                {6610, 173},
	"fakequantize":          {10050, 244},
	"fakequantizeF16BF16":   {9590, 224},
	"fakequantizefp":        {3640, 88},
	"fakequantizefpF16BF16": {5130, 119},
	"learn":                 {440, 10},
	"lookup":                {140, 3},
	"minmax":                {18100, 413},
	"pack":                  {1090, 24},
	"params":                {5910, 141},
	"prepare":               {230, 3},
	"productBF16":           {1830, 44},
	"productF16BF16":        {880, 19},
	"productF16":            {1740, 40},
	"quantize":              {11940, 269},
	"quantizeBF16":          {2810, 64},
	"quantizeF16":           {2730, 61},
	"quantizeF16BF16":       {8940, 195},
	"quantizefp":            {11420, 271},
	"quantizefpF16BF16":     {7950, 180},
	"quotient":              {3950, 88},
	"search":                {4720, 116},
	"shorts":                {3660, 83},
	"sixes":                 {480, 12},
	"stage":                 {2000, 33},
	"stochastic":            {2010, 52},
	"transpose":             {690, 15},
	"writeblocks":           {6090, 181},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{183470, 4328}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
