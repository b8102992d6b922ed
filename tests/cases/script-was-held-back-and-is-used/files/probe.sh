#!/bin/sh
printf on
