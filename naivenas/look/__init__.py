"Text, pictures and pages of graphs and plans"
