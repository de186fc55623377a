"""What code written for Clara Train's AutoML imports as `automl`. Written anew from the public documentation of its interface."""
