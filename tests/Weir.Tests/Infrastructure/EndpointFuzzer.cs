using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// Sends what <see cref="EndpointGrammar"/> makes, and holds each answer to be no internal error, to quote no exception and, of errors, to
/// name no file of the repository.
/// </summary>
internal sealed class EndpointFuzzer(int port, EndpointWorld world, ITestOutputHelper output)
{
    private const int Connections = 6;
    private const int InTheRun = 3000;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>How many requests; <c>WEIR_TEST_FUZZ_REQUESTS</c> says more for a long run.</summary>
    private static int Requests =>
        int.TryParse(Environment.GetEnvironmentVariable("WEIR_TEST_FUZZ_REQUESTS"), CultureInfo.InvariantCulture, out var asked)
            ? asked : InTheRun;

    /// <returns>How often each status was answered.</returns>
    public async Task<Dictionary<int, int>> RunAsync()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_TEST_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given : RandomNumberGenerator.GetInt32(int.MaxValue);
        output.WriteLine($"WEIR_TEST_SEED={seed}");
        var statuses = await Task.WhenAll(Enumerable.Range(0, Connections).Select(i => Task.Run(() => RunAsync(
            new EndpointGrammar(new Random(unchecked(seed + (i * 7919))), world), $"WEIR_TEST_SEED={seed}, connection {i}"))));
        var all = statuses.SelectMany(s => s).GroupBy(s => s.Key).ToDictionary(g => g.Key, g => g.Sum(s => s.Value));
        output.WriteLine(string.Join(", ", all.OrderBy(s => s.Key).Select(s => $"{s.Key}: {s.Value}")));
        return all;
    }

    private async Task<Dictionary<int, int>> RunAsync(EndpointGrammar grammar, string where)
    {
        var statuses = new Dictionary<int, int>();
        PipelinedConnection? connection = null;
        try
        {
            for (var i = 0; i < Requests / Connections; i++)
            {
                var request = grammar.Next();
                connection ??= await PipelinedConnection.OpenAsync(port);
                var (status, closes) = await AnswerAsync(connection, request, $"{where}, request {i}");
                statuses[status] = statuses.GetValueOrDefault(status) + 1;
                if (closes || !request.IsFramed)
                {
                    connection.Dispose();
                    connection = null;
                }
            }

            return statuses;
        }
        finally
        {
            connection?.Dispose();
        }
    }

    /// <returns>0 for a connection that was closed without an answer.</returns>
    private static async Task<(int Status, bool Closes)> AnswerAsync(PipelinedConnection connection, EndpointRequest request, string where)
    {
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            await connection.SendAsync([request.Request], timeout.Token);
            if (!request.IsFramed)
            {
                connection.EndSending();
            }

            if (await connection.ReadAsync(request.Request, timeout.Token, followStreams: false) is not { } answer)
            {
                return request.IsFramed ? throw new IOException("The connection was closed.") : (0, true);
            }

            return (answer.Status < 500 || answer.Status is 501 or 503) && !IsStackTrace(answer.Text)
                && (answer.Status < 400 || !answer.Text.Contains(".md", StringComparison.Ordinal))
                ? (answer.Status, answer.Closes)
                : throw new InvalidOperationException($"{where}:\n{request.Request}\nwas answered\n{answer.Text}");
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            return request.IsFramed || e is OperationCanceledException
                ? throw new InvalidOperationException($"{where}:\n{request.Request}\ngot no answer", e)
                : (0, true);
        }
    }

    private static bool IsStackTrace(string text) => text.Contains("Exception", StringComparison.Ordinal)
        || text.Contains("\\n   at ", StringComparison.Ordinal);
}
