"Nets as source, as plain modules, as files, as ONNX"
