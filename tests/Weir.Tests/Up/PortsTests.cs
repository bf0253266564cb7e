using System.Net;
using System.Net.Sockets;
using Weir.Configuration;
using Weir.Errors;
using Weir.Server.Up;

namespace Weir.Tests.Up;

public sealed class PortsTests
{
    private static readonly int Default = new HttpConfig().Listen.Port;

    [Fact]
    public void The_default_gives_way_to_the_next_free_port()
    {
        // Somebody else may hold it already, which is as good.
        using var taken = TryTake(Default);
        var chosen = Ports.Choose(new HttpConfig(), asked: null).Listen.Port;
        chosen.ShouldBeGreaterThan(Default);
    }

    [Fact]
    public void A_port_that_was_asked_for_is_it_or_a_refusal()
    {
        using var taken = TryTake(0)!;
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        Should.Throw<WeirException>(() => Ports.Choose(new HttpConfig(), port)).Code.ShouldBe(ErrorCode.Conflict);
        taken.Stop();
        Ports.Choose(new HttpConfig(), port).Listen.ShouldBe(new Uri($"http://127.0.0.1:{port}"));
    }

    [Fact]
    public void A_port_that_was_configured_is_it_or_a_refusal()
    {
        using var taken = TryTake(0)!;
        var configured = new HttpConfig().OnPort(((IPEndPoint)taken.LocalEndpoint).Port);
        Should.Throw<WeirException>(() => Ports.Choose(configured, asked: null)).Code.ShouldBe(ErrorCode.Conflict);
    }

    private static TcpListener? TryTake(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException)
        {
            listener.Dispose();
            return null;
        }
    }
}
