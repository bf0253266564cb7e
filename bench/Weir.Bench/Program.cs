using Weir.Bench;

return args switch
{
    ["call", .. var rest] => await CallBench.RunAsync(BenchOptions.Parse(rest)),
    ["wall", .. var rest] => await WallBench.RunAsync(BenchOptions.Parse(rest)),
    ["upstream", var port] => await BareUpstream.RunAsync(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: weir bench call|wall [--seconds N] [--rounds N] [--log-rows N]");
    return 2;
}
