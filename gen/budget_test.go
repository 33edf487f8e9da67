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
	"backward":              {3790, 88},
	"blocks":                {7070, 216},
	"convert":               {8160, 200},
	"copy":                  {1200, 21},
	"dequantize":            {9810, 217},
	"dequantizeF16BF16":     {7370, 161},
	"dequantizefp":          {5640, 124},
	"dequantizefpF16BF16":   {7290, 162},
	"difference":            {180, 3},
	"dispatch":              {120, 4},
	"errors":                {6220, 162},
	"fakequantize":          {10290, 249},
	"fakequantizeF16BF16":   {9910, 231},
	"fakequantizefp":        {3710, 89},
	"fakequantizefpF16BF16": {5330, 127},
	"learn":                 {450, 10},
	"lookup":                {170, 4},
	"minmax":                {18000, 411},
	"pack":                  {1180, 27},
	"params":                {7060, 167},
	"prepare":               {280, 5},
	"productBF16":           {1900, 47},
	"productF16BF16":        {960, 23},
	"productF16":            {1780, 41},
	"quantize":              {11950, 270},
	"quantizeBF16":          {2610, 60},
	"quantizeF16":           {2550, 57},
	"quantizeF16BF16":       {9110, 201},
	"quantizefp":            {11680, 278},
	"quantizefpF16BF16":     {8130, 187},
	"quotient":              {4040, 89},
	"search":                {4550, 114},
	"shorts":                {3770, 84},
	"sixes":                 {560, 17},
	"stage":                 {2020, 35},
	"stochastic":            {2370, 60},
	"transpose":             {490, 10},
	"writeblocks":           {5950, 182},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{187490, 4433}

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
