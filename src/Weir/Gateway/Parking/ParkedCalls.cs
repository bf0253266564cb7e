using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Keys;

namespace Weir.Gateway.Parking;

/// <summary>What <c>requestState</c> says, sealed: which call waits, at which replica, and which of its rounds.</summary>
/// <param name="Call">Empty: none waits, and the retry is the call once more.</param>
internal sealed record ParkTicket(Guid Call, Guid Replica, int Round)
{
    public bool IsParked => Call != Guid.Empty;
}

/// <summary>
/// Runs a modern client's calls so that a legacy server may ask in the middle. The state that the client gets is sealed, bound to who
/// called what with which arguments, good for one round, and not an authorization: each retry is decided anew.
/// </summary>
internal sealed class ParkedCalls(GovernedCaller caller, Keyring keyring, Guid replicaId, TimeSpan inputTimeout, TimeProvider time)
    : IHostedService
{
    private const string Purpose = "mcp-parked-call";
    private const string Prefix = "weir1.";

    private readonly ConcurrentDictionary<Guid, Parked> _parked = new();

    /// <summary>How many calls wait for their clients.</summary>
    public int Count => _parked.Count;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// When no request comes any more. Nobody can take up what waits here, so it ends, and its outcomes are on their way when this returns.
    /// </summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        var waiting = _parked.Values.ToArray();
        foreach (var parked in waiting)
        {
            Expire(parked);
        }

        return Task.WhenAll(waiting.Select(async parked => await parked.Run!.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)))
            .WaitAsync(cancellationToken);
    }

    /// <summary>The ticket in a request, where it is one of Weir's; a server's own state is null.</summary>
    public ParkTicket? Read(GovernedCall call)
    {
        if (call.Message.RequestState is not { } state || !state.StartsWith(Prefix, StringComparison.Ordinal)
            || !Base64Url.IsValid(state.AsSpan(Prefix.Length)))
        {
            return null;
        }

        return keyring.TryOpen(Purpose, Base64Url.DecodeFromChars(state.AsSpan(Prefix.Length)), Binding(call), out var plain)
            ? JsonSerializer.Deserialize(plain, ParkingJson.Default.ParkTicket)
            : throw Unknown();
    }

    /// <summary>Runs a call until it ends or wants input; then it is parked and the client has its questions.</summary>
    /// <param name="aborted">The client went away: the call is cancelled, unless it is parked.</param>
    public async Task RunAsync(GovernedCall call, HttpCallResponder client, CancellationToken aborted)
    {
        var parked = new Parked(Guid.CreateVersion7(time.GetUtcNow()));
        var run = caller.RunAsync(call, parked.Carried, parked.Stop.Token);
        await CarryAsync(parked, run, call, client, aborted);
    }

    /// <summary>The retry of a parked call: decided anew, then the call goes on where it stands.</summary>
    /// <exception cref="WeirException">It was denied, which ends the call; or it is not parked here, or is being carried by another
    /// retry.</exception>
    public async Task ResumeAsync(ParkTicket ticket, GovernedCall call, HttpCallResponder client, CancellationToken aborted)
    {
        if (!_parked.TryGetValue(ticket.Call, out var parked) || parked.Round != ticket.Round
            || !_parked.TryRemove(new KeyValuePair<Guid, Parked>(ticket.Call, parked)))
        {
            throw Unknown();
        }

        parked.Expiry?.Dispose();
        AdmittedCall admitted;
        try
        {
            admitted = await caller.AdmitAsync(call, aborted);
        }
        catch
        {
            await parked.Stop.CancelAsync();
            throw;
        }

        using (admitted)
        {
            await GovernedCaller.CompleteAsync(admitted, async run =>
            {
                await CarryAsync(parked, parked.Run!, call, client, aborted);
                run.Complete(Outcomes.Ok, errorCode: null);
            });
        }
    }

    private async Task CarryAsync(Parked parked, Task run, GovernedCall call, HttpCallResponder client, CancellationToken aborted)
    {
        parked.Run = run;
        await using (aborted.Register(static state => ((CancellationTokenSource)state!).Cancel(), parked.Stop))
        {
            await parked.Carried.AttachAsync(
                client, call.Message.InputResponses.Exists ? call.Message.InputResponses.Of(call.Body) : default, aborted);
            while (await Task.WhenAny(run, parked.Carried.Asked) != run)
            {
                parked.Round++;
                // Known before the client can come again.
                _parked[parked.Id] = parked;
                if (await parked.Carried.TryParkAsync(run, Seal(new ParkTicket(parked.Id, replicaId, parked.Round), call), aborted))
                {
                    parked.Expiry = new CancellationTokenSource(inputTimeout, time);
                    parked.Expiry.Token.Register(() => Expire(parked));
                    _ = ForgetAsync(parked, run);
                    return;
                }

                _parked.TryRemove(parked.Id, out _);
                if (run.IsCompleted)
                {
                    break;
                }
            }
        }

        await run;
    }

    private void Expire(Parked parked)
    {
        if (_parked.TryRemove(parked.Id, out _))
        {
            parked.Stop.Cancel();
        }
    }

    /// <summary>A call that ends while nobody carries it: its end is in the audit log, and nobody is told.</summary>
    private async Task ForgetAsync(Parked parked, Task run)
    {
        // However it ends: that is recorded by who runs it.
        await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _parked.TryRemove(parked.Id, out _);
    }

    /// <summary>The state for a retry that is simply the same call once more.</summary>
    public string SealFresh(GovernedCall call) => Seal(new ParkTicket(Guid.Empty, replicaId, Round: 0), call);

    private string Seal(ParkTicket ticket, GovernedCall call) =>
        Prefix
            + Base64Url.EncodeToString(
                keyring.Seal(Purpose, JsonSerializer.SerializeToUtf8Bytes(ticket, ParkingJson.Default.ParkTicket), Binding(call)));

    /// <summary>Who calls what, with which arguments: a state is of no use for anything else.</summary>
    private static byte[] Binding(GovernedCall call)
    {
        var head = Encoding.UTF8.GetBytes($"{call.Principal.Name}\n{call.InstanceName}\n{call.Message.Method}\n{call.ExposedName}\n");
        var arguments = call.Message.Arguments.Exists ? call.Message.Arguments.Of(call.Body.Span) : default;
        return SHA256.HashData([.. head, .. arguments]);
    }

    public static WeirException Unknown() => new(
        ErrorCode.InvalidArgument, "requestState is not of a call that waits: "
            + "it was answered already, has expired, or belongs to another call.", "Call anew, without requestState.");

    private sealed class Parked(Guid id)
    {
        public Guid Id { get; } = id;

        public ResumableCall Carried { get; } = new();

        public CancellationTokenSource Stop { get; } = new();

        public Task? Run { get; set; }

        public int Round { get; set; }

        public CancellationTokenSource? Expiry { get; set; }
    }
}
