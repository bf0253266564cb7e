using System.Globalization;
using Weir.Bench;

return args switch
{
    ["call", .. var rest] => await CallBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Long)),
    ["gateway", .. var rest] => await GatewayBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Short)),
    ["isolation", .. var rest] => await IsolationBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Long)),
    ["rules", .. var rest] => await RulesBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Long)),
    ["attacks", .. var rest] => await AttacksBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Short)),
    ["chat", .. var rest] => await ChatBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Short)),
    ["model", var port] => await StubModel.RunAsync(int.Parse(port, CultureInfo.InvariantCulture)),
    ["knowledge", .. var rest] => await KnowledgeBench.RunAsync(BenchOptions.Parse(rest, BenchOptions.Long)),
    ["upstream", var port] => await BareUpstream.RunAsync(int.Parse(port, CultureInfo.InvariantCulture)),
    ["forwarder", var port, var upstream] => await BareForwarder.RunAsync(int.Parse(port, CultureInfo.InvariantCulture), new Uri(upstream)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: weir bench attacks|call|chat|gateway|knowledge|rules|isolation [--seconds N] [--rounds N]");
    Console.Error.WriteLine(
        "       gateway: [--only calls|streams|list|fair] [--streams N] [--warm N]    isolation: [--log-rows N]    knowledge: "
            + "[--documents N]");
    Console.Error.WriteLine("       chat: [--turns N]");
    return 2;
}
