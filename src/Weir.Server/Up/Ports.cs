using System.Net;
using System.Net.Sockets;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Server.Up;

/// <summary>Which port <c>up</c> listens on.</summary>
internal static class Ports
{
    private const int Tries = 100;

    /// <summary>A port that was asked for must be free; the default gives way to the next one that is.</summary>
    public static HttpConfig Choose(HttpConfig config, int? asked)
    {
        var configured = config.Listen.Port != new HttpConfig().Listen.Port;
        var first = asked ?? config.Listen.Port;
        for (var port = first; port < first + Tries && port <= IPEndPoint.MaxPort; port++)
        {
            if (IsFree(config, port))
            {
                return config.OnPort(port);
            }

            if (asked is not null || configured)
            {
                throw new WeirException(
                    ErrorCode.Conflict, $"Port {port} is taken.", "Stop what listens there, or choose another one with --port.");
            }
        }

        throw new WeirException(ErrorCode.Conflict, $"None of the {Tries} ports from {first} on is free.", "Choose one with --port.");
    }

    private static bool IsFree(HttpConfig config, int port)
    {
        try
        {
            var address = IPAddress.TryParse(config.Listen.DnsSafeHost, out var parsed) ? parsed : IPAddress.Loopback;
            using var listener = new TcpListener(address, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
